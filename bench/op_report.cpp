#include "bench/op_report.h"

#include <fmt/core.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/error.h"

namespace ipa::bench {
namespace {

using Json = nlohmann::json;

Json json_of(const CaseReport& report) {
  Json json{{"name", report.name}, {"ops", Json::array()}};
  for (const Timing& t : report.ops)
    json["ops"].push_back({{"op", t.op},
                           {"seconds", t.seconds},
                           {"quartiles", {t.lower_quartile, t.upper_quartile}},
                           {"least_seconds", t.least_seconds},
                           {"bytes", t.cost.bytes},
                           {"flops", t.cost.flops}});
  if (report.error) {
    json["error"] = {{"value", report.error->value}, {"gradients", Json::array()}};
    for (const std::optional<double>& g : report.error->gradients)
      json["error"]["gradients"].push_back(g ? Json(*g) : Json());
  }
  return json;
}

CaseReport case_of(const Json& json) {
  CaseReport report{.name = json.at("name")};
  for (const Json& op : json.at("ops")) {
    const double seconds = op.at("seconds");
    const Json quartiles = op.value("quartiles", Json{seconds, seconds});  // which older reports lack
    report.ops.push_back({op.at("op"),
                          seconds,
                          quartiles.at(0),
                          quartiles.at(1),
                          op.at("least_seconds"),
                          {op.at("bytes"), op.at("flops")}});
  }
  if (json.contains("error")) {
    report.error.emplace(OpError{.value = json["error"].at("value")});
    for (const Json& g : json["error"].at("gradients"))
      report.error->gradients.push_back(g.is_null() ? std::nullopt : std::optional(g.get<double>()));
  }
  return report;
}

}  // namespace

std::string heading(const OpReport& r) {
  return fmt::format(
      "{}, {} threads; roof ({}): copy {:.1f} GB/s, {} {:.1f} GFLOP/s\nmedians of {} runs and, in brackets, between "
      "which "
      "half of them lie; {}\n",
      r.device, r.threads, r.roof.name, r.roof.copy_gb_s,
      r.device == "cpu" ? "multiply-add" : "product of bf16 matrices", r.roof.gflop_s, r.runs,
      r.flushed ? "before each run the caches are filled with other data"
                : "caches are not flushed: what lies in one moves faster than a copy");
}

std::string to_text(const CaseReport& report) {
  std::string text = report.name;
  if (report.error) {
    text += fmt::format("  [error {:.1e}", report.error->value);
    for (const std::optional<double>& g : report.error->gradients) text += g ? fmt::format(", {:.1e}", *g) : ", -";
    text += "]";
  }
  text += '\n';
  for (const Timing& t : report.ops)
    text +=
        fmt::format("  {:<34} {:10.4f} ms [{:9.4f} {:9.4f}] {:8.1f} GB/s {:9.1f} GFLOP/s {:6.1f} %\n", t.op,
                    t.seconds * 1e3, t.lower_quartile * 1e3, t.upper_quartile * 1e3, t.cost.bytes * 1e-9 / t.seconds,
                    t.cost.flops * 1e-9 / t.seconds, 100 * t.least_seconds / t.seconds);
  return text;
}

std::string to_json(const OpReport& report) {
  Json cases = Json::array();
  for (const CaseReport& c : report.cases) cases.push_back(json_of(c));
  return Json{
      {"device", report.device},
      {"threads", report.threads},
      {"runs", report.runs},
      {"flushed", report.flushed},
      {"roof", {{"name", report.roof.name}, {"copy_gb_s", report.roof.copy_gb_s}, {"gflop_s", report.roof.gflop_s}}},
      {"cases", std::move(cases)}}
      .dump(1);
}

OpReport read_op_report(const std::string& path) {
  std::ifstream file(path);
  if (!file) fail(ErrorKind::io, "cannot be read", path, "give a file that bench_ops --json wrote");
  try {
    const Json json = Json::parse(file);
    const Json& roof = json.at("roof");
    OpReport report{.device = json.value("device", "cpu"),
                    .threads = json.at("threads"),
                    .runs = json.at("runs"),
                    .flushed = json.value("flushed", false),
                    .roof = {roof.at("copy_gb_s"), roof.at("gflop_s"), roof.value("name", Roof{}.name)}};
    for (const Json& c : json.at("cases")) report.cases.push_back(case_of(c));
    return report;
  } catch (const Json::exception& e) {
    fail(ErrorKind::input, e.what(), path, "give a file that bench_ops --json wrote");
  }
}

std::string comparison(const OpReport& then, const OpReport& now) {
  struct Pair {
    std::optional<double> then, now;
  };
  std::vector<std::pair<std::string, Pair>> rows;  // in the order of `now`, then what only `then` has
  std::map<std::string, std::size_t> places;
  auto take = [&](const OpReport& report, std::optional<double> Pair::*side) {
    std::map<std::string, int> seen;  // an op may run several times in a case
    for (const CaseReport& c : report.cases)
      for (const Timing& t : c.ops) {
        std::string name = c.name + " | " + t.op;
        if (const int before = seen[name]++) name += fmt::format(" ({})", before + 1);
        const auto [place, is_new] = places.try_emplace(name, rows.size());
        if (is_new) rows.push_back({name, {}});
        rows[place->second].second.*side = t.seconds;
      }
  };
  take(now, &Pair::now);
  take(then, &Pair::then);
  std::size_t width = 20;
  for (const auto& [name, pair] : rows) width = std::max(width, name.size());
  auto cell = [](std::optional<double> v, double unit) {
    return v ? fmt::format("{:.4f}", *v * unit) : std::string("-");
  };
  std::string text = fmt::format("then: {}now:  {}{:<{}} {:>12} {:>12} {:>10}\n", heading(then), heading(now),
                                 "case | op", width, "then, ms", "now, ms", "now/then");
  for (const auto& [name, pair] : rows) {
    const std::optional<double> ratio = pair.then && pair.now ? std::optional(*pair.now / *pair.then) : std::nullopt;
    text += fmt::format("{:<{}} {:>12} {:>12} {:>10}\n", name, width, cell(pair.then, 1e3), cell(pair.now, 1e3),
                        cell(ratio, 1));
  }
  return text;
}

}  // namespace ipa::bench
