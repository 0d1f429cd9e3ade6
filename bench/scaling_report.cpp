#include <fmt/core.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "bench/comm_report.h"

namespace ipa::bench {
namespace {

std::string contents(const std::string& path) {
  std::ifstream file(path);
  if (!file) fail(ErrorKind::io, "cannot be read", path);
  return {std::istreambuf_iterator<char>(file), {}};
}

AllReduceCurve curve_of(const std::string& path) {
  AllReduceCurve curve;
  try {
    const nlohmann::json json = nlohmann::json::parse(contents(path));
    curve.ranks = json.at("ranks");
    for (const nlohmann::json& point : json.at("all_reduces"))
      curve.points.push_back({point.at("bytes"), point.at("seconds")});
  } catch (const nlohmann::json::exception& e) {
    fail(ErrorKind::input, fmt::format("not the JSON of all-reduces: {}", e.what()), path,
         "give what `bench_comm --json` printed");
  }
  if (curve.ranks < 2 || curve.points.empty())
    fail(ErrorKind::input, "holds no all-reduce of several ranks", path, "give what `bench_comm --json` printed");
  return curve;
}

struct Scaling {
  std::vector<std::string> assumptions;
  std::vector<ScalingRow> weak, strong;
};

Scaling scaling_of(CommOptions options) {
  const Device device{options.device == "cpu" ? Device::Kind::cpu : Device::Kind::cuda, 0};
  options.step.compute = compute_type_on(device);
  Scaling found;
  auto assume = [&](const std::string& text) { found.assumptions.push_back(text); };

  ComputeTimes compute =
      ComputeTimes::of_roof(options.roof[0], options.roof[1] * 1e3, options.roof_share, options.gap_us);
  if (options.compute_file.empty()) {
    assume(
        fmt::format("computation, modelled: each launch at {:.0f} % of a roof of {:.0f} GB/s and {:.0f} TFLOP/s, "
                    "whichever takes longer, and {} us between launches",
                    100 * options.roof_share, options.roof[0], options.roof[1], options.gap_us));
  } else {
    const std::string text = contents(options.compute_file);
    StepOptions measured = options.step;
    measured.batch = ComputeTimes::batch_of_measurement(text, options.compute_file);
    compute = ComputeTimes::of_measurement(text, options.compute_file, describe_step(measured, device, false));
    assume(
        fmt::format("computation, measured at batch {}: at others each kind of op stays as many times its roof's "
                    "time as there",
                    measured.batch));
  }

  AllReduceTime all_reduce;
  if (options.all_reduce_file.empty()) {
    LinkModel links = options.links;
    if (!options.within.empty()) links.within = {options.within[0], options.within[1]};
    if (!options.between.empty()) links.between = {options.between[0], options.between[1]};
    all_reduce = [links](double bytes, int ranks) { return links.seconds(bytes, ranks); };
    assume(
        fmt::format("all-reduce, modelled: within a node of {} ranks {} us and {} GB/s of bus bandwidth; over "
                    "several {} us more for each doubling of their number and {} GB/s, the network scaling with it",
                    links.node_ranks, links.within.latency_us, links.within.bus_gb_s, links.between.latency_us,
                    links.between.bus_gb_s));
  } else {
    const AllReduceCurve curve = curve_of(options.all_reduce_file);
    all_reduce = [curve](double bytes, int ranks) { return curve.seconds(bytes, ranks); };
    assume(
        fmt::format("all-reduce, measured over {} ranks: for others over links as good, latency by the logarithm of "
                    "their number, the rest by bus bytes",
                    curve.ranks));
  }
  const DescribedStep step = describe_step(options.step, device, true);
  std::string buckets;
  double total = 0;
  for (const double bytes : step.buckets()) {
    buckets += fmt::format(" {:.2f}", bytes / (1 << 20));
    total += bytes;
  }
  assume(fmt::format("of the step's graph: {} launches, {} all-reduces in this order, MiB:{} (in all {:.1f})",
                     step.parts.size(), step.buckets().size(), buckets, total / (1 << 20)));
  assume("all-reduces run one by one, in order, beside the computation; neither slows the other down");
  assume("all ranks are equally fast; batch norm is each rank's own; the data lie on the device");
  found.weak = weak_scaling(options.step, device, compute, all_reduce, options.ranks_list);
  found.strong = strong_scaling(options.step, device, compute, all_reduce, options.ranks_list, options.global_batch);
  return found;
}

void print(const std::string& title, const std::vector<ScalingRow>& rows) {
  fmt::print("\n{}\n{:>6}{:>12}{:>10}{:>13}{:>13}{:>12}{:>12}{:>12}\n", title, "ranks", "batch/rank", "step ms",
             "all-reduce", "exposed ms", "efficiency", "images/s", "arena GiB");
  for (const ScalingRow& r : rows)
    fmt::print("{:>6}{:>12}{:>10.2f}{:>13.2f}{:>13.2f}{:>10.1f} %{:>12.0f}{:>12.1f}\n", r.ranks, r.batch,
               r.step.seconds * 1e3, r.step.communication * 1e3, r.step.exposed() * 1e3, 100 * r.efficiency,
               r.images_per_s, r.arena_gib);
}

nlohmann::json to_json(const std::vector<ScalingRow>& rows) {
  nlohmann::json json = nlohmann::json::array();
  for (const ScalingRow& r : rows)
    json.push_back({{"ranks", r.ranks},
                    {"batch_of_rank", r.batch},
                    {"seconds", r.step.seconds},
                    {"compute_seconds", r.step.compute},
                    {"all_reduce_seconds", r.step.communication},
                    {"exposed_seconds", r.step.exposed()},
                    {"efficiency", r.efficiency},
                    {"images_per_s", r.images_per_s},
                    {"arena_gib", r.arena_gib}});
  return json;
}

}  // namespace

void print_scaling(const CommOptions& options) {
  const Scaling found = scaling_of(options);
  if (options.json) {
    fmt::print("{}\n", nlohmann::json{{"task", "simulated scaling"},
                                      {"size", options.step.size},
                                      {"assumptions", found.assumptions},
                                      {"weak", to_json(found.weak)},
                                      {"strong", to_json(found.strong)}}
                           .dump(1));
    return;
  }
  fmt::print("Simulated, not measured: a training step at {}x{}\n", options.step.size, options.step.size);
  for (const std::string& assumption : found.assumptions) fmt::print("- {}\n", assumption);
  print(fmt::format("weak scaling, batch {} a rank", options.step.batch), found.weak);
  print(fmt::format("strong scaling, batch {} in all", options.global_batch), found.strong);
}

}  // namespace ipa::bench
