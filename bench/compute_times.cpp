#include "bench/compute_times.h"

#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/error.h"

namespace ipa::bench {
namespace {

constexpr const char* wanted = "give what `bench_step --json` printed of a step with the same widths and losses";

nlohmann::json parsed(const std::string& text, const std::string& file) {
  nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  auto number = [&](const char* name) { return json.contains(name) && json[name].is_number(); };
  if (!json.is_object() || !json.contains("task") || json["task"] != "step" || !number("batch") || !number("seconds"))
    fail(ErrorKind::input, "not the JSON of a step", file, wanted);
  return json;
}

}  // namespace

double ComputeTimes::least(const Cost& cost) const {
  return std::max(cost.bytes * 1e-9 / copy_gb_s_, cost.flops * 1e-9 / gflop_s_);
}

ComputeTimes ComputeTimes::of_roof(double copy_gb_s, double gflop_s, double share, double gap_us) {
  ComputeTimes times;
  times.copy_gb_s_ = copy_gb_s;
  times.gflop_s_ = gflop_s;
  times.multiple_ = 1 / share;
  times.gap_ = gap_us * 1e-6;
  return times;
}

std::int64_t ComputeTimes::batch_of_measurement(const std::string& text, const std::string& file) {
  return parsed(text, file).at("batch").get<std::int64_t>();
}

ComputeTimes ComputeTimes::of_measurement(const std::string& text, const std::string& file, const DescribedStep& same) {
  const nlohmann::json json = parsed(text, file);
  ComputeTimes times;
  std::map<std::string, double> measured, least, launches;
  double flops_there = 0, flops_here = 0, profiled = 0, least_of_all = 0;
  try {
    times.copy_gb_s_ = json.at("roof").at("copy_gb_s");
    times.gflop_s_ = json.at("roof").at("gflop_s");
    for (const nlohmann::json& row : json.at("ops")) {
      measured[row.at("op").get<std::string>()] += row.at("seconds").get<double>();
      flops_there += row.at("flops").get<double>();
      profiled += row.at("seconds").get<double>();
    }
  } catch (const nlohmann::json::exception& e) {
    fail(ErrorKind::input, fmt::format("not the JSON of a step: {}", e.what()), file, wanted);
  }
  for (const DescribedStep::Part& part : same.parts) {
    least[part.op] += times.least(part.cost);
    launches[part.op] += 1;
    flops_here += part.cost.flops;
    least_of_all += times.least(part.cost);
  }
  if (!(profiled > 0) || std::abs(flops_there - flops_here) > 0.01 * flops_here)
    fail(ErrorKind::input,
         fmt::format("is of another step: {:.4g} GFLOP, not {:.4g}", flops_there * 1e-9, flops_here * 1e-9), file,
         wanted);
  // Launches timed one by one take longer than the step does, or less where it waits between them.
  const double whole = json.at("seconds").get<double>() / profiled;
  times.multiple_ = whole * profiled / least_of_all;
  for (const auto& [op, seconds] : measured)
    if (least[op] > 0)
      times.of_kind_[op] = whole * seconds / least[op];
    else if (launches[op] > 0)
      times.constant_[op] = whole * seconds / launches[op];
  return times;
}

double ComputeTimes::seconds(const DescribedStep::Part& part) const {
  if (const auto known = constant_.find(part.op); known != constant_.end()) return known->second;
  const auto known = of_kind_.find(part.op);
  return gap_ + least(part.cost) * (known == of_kind_.end() ? multiple_ : known->second);
}

std::vector<StepEvent> ComputeTimes::events(const DescribedStep& step) const {
  std::vector<StepEvent> events;
  for (const DescribedStep::Part& part : step.parts) {
    const bool computes = part.kind == StepEvent::Kind::compute;
    events.push_back({part.kind, computes ? seconds(part) : part.bytes});
  }
  return events;
}

}  // namespace ipa::bench
