#include "bench/comm_report.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

namespace ipa::bench {
namespace {

constexpr double mib = 1 << 20;

// Threads sum when they wait for it, all at once, so that their step hides nothing and the queue's time is not theirs.
bool overlaps(const CommReport& report) { return report.transport != "threads"; }

}  // namespace

void print(const CommReport& report, const CommOptions& options) {
  fmt::print("all-reduce over {} ranks by {}, medians of {} runs\n{:>12}{:>12}{:>12}{:>12}\n", report.ranks,
             report.transport, options.runs, "KiB", "us", "GB/s", "bus GB/s");
  for (const AllReduceCurve::Point& p : report.all_reduces)
    fmt::print("{:>12.0f}{:>12.1f}{:>12.2f}{:>12.2f}\n", p.bytes / 1024, p.seconds * 1e6, p.bytes * 1e-9 / p.seconds,
               bus_bytes(p.bytes, report.ranks) * 1e-9 / p.seconds);
  if (!report.overlap) return;
  const OverlapTimes& o = *report.overlap;
  fmt::print("\nstep of batch {} a rank, {}x{}: alone {:.2f} ms, with its all-reduces {:.2f} ms: exposed {:.2f} ms\n",
             options.step.batch, options.step.size, options.step.size, o.alone * 1e3, o.together * 1e3,
             o.exposed() * 1e3);
  fmt::print("{} all-reduces, one after another {:.2f} ms, of MiB:", o.buckets.size(), o.communication * 1e3);
  for (const double bytes : o.buckets) fmt::print(" {:.2f}", bytes / mib);
  if (overlaps(report))
    fmt::print("\nsimulated of this step's launches: {:.2f} ms, exposed {:.2f} ms\n", o.simulated.seconds * 1e3,
               o.simulated.exposed() * 1e3);
  else
    fmt::print("\nthreads sum when the step waits for it: nothing is hidden\n");
}

void print_json(const CommReport& report, const CommOptions& options) {
  nlohmann::json json{{"task", "all-reduce"},
                      {"transport", report.transport},
                      {"ranks", report.ranks},
                      {"runs", options.runs},
                      {"all_reduces", nlohmann::json::array()}};
  for (const AllReduceCurve::Point& p : report.all_reduces)
    json["all_reduces"].push_back({{"bytes", p.bytes},
                                   {"seconds", p.seconds},
                                   {"gb_s", p.bytes * 1e-9 / p.seconds},
                                   {"bus_gb_s", bus_bytes(p.bytes, report.ranks) * 1e-9 / p.seconds}});
  if (report.overlap) {
    const OverlapTimes& o = *report.overlap;
    json["step"] = {
        {"batch", options.step.batch}, {"size", options.step.size},      {"seconds_alone", o.alone},
        {"seconds", o.together},       {"exposed_seconds", o.exposed()}, {"all_reduce_seconds", o.communication},
        {"buckets", o.buckets}};
    if (overlaps(report)) json["step"]["simulated_exposed_seconds"] = o.simulated.exposed();
  }
  fmt::print("{}\n", json.dump(1));
}

}  // namespace ipa::bench
