#include "apps/score_report.h"

#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace ipa {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t mse_index = 2;
static_assert(all_metrics[mse_index].name == "mse");

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json region_json(const Summary& summary, Region region) {
  Json result, deviations;
  for (size_t m = 0; m < all_metrics.size(); ++m) {
    const std::string name(all_metrics[m].name);
    result[name] = number(summary.at(region, m).mean);
    deviations[name] = number(summary.at(region, m).std);
  }
  result["n"] = summary.at(region, mse_index).count;  // the mean squared error of a region with pixels is always finite
  result["std"] = deviations;
  return result;
}

Json summary_json(const Summary& summary) {
  Json result;
  for (const Region region : all_regions) result[std::string(region_name(region))] = region_json(summary, region);
  return result;
}

bool has_pixels(const ScoreRow& row, Region region) { return !std::isnan(row.scores[region].mse); }

std::string metric_columns() {
  std::string text;
  for (const Metric& metric : all_metrics) text += fmt::format(",{}", metric.name);
  return text;
}

std::string metric_cells(const Scores& scores) {
  std::string text;
  for (const Metric& metric : all_metrics) {
    const double value = scores.*metric.member;
    text += std::isnan(value) ? ",nan" : fmt::format(",{}", value);
  }
  return text;
}

std::string csv_cell(const std::string& value) {
  if (value.find_first_of(",\"\r\n") == value.npos) return value;
  std::string text = "\"";
  for (const char c : value) text += c == '"' ? std::string("\"\"") : std::string(1, c);
  return text + '"';
}

}  // namespace

Json scores_json(const ScoreTable& table) {
  Json result, subjects = Json::object();
  result["n"] = 0;
  for (const std::string& method : table.methods()) {
    const Summary summary = table.summary(method);
    result["n"] = summary.slices;
    result[method] = summary_json(summary);
    for (const auto& [subject, its_summary] : table.subject_summaries(method))
      if (!subject.empty()) subjects[subject][method] = summary_json(its_summary);
  }
  result["subjects"] = subjects;
  return result;
}

std::string per_slice_csv(const ScoreTable& table, const std::string& method) {
  std::string text = fmt::format("slice,region{}\n", metric_columns());
  for (const ScoreRow& row : table.rows(method))
    for (const Region region : all_regions)
      if (has_pixels(row, region))
        text += fmt::format("{},{}{}\n", row.slice, region_name(region), metric_cells(row.scores[region]));
  return text;
}

std::string per_slice_csv(const ScoreTable& table) {
  std::string text = fmt::format("method,slice,subject,region{}\n", metric_columns());
  for (const std::string& method : table.methods())
    for (const ScoreRow& row : table.rows(method))
      for (const Region region : all_regions)
        if (has_pixels(row, region))
          text += fmt::format("{},{},{},{}{}\n", method, row.slice, csv_cell(row.subject), region_name(region),
                              metric_cells(row.scores[region]));
  return text;
}

std::string scores_text(const ScoreTable& table, const std::string& method) {
  const Summary summary = table.summary(method);
  std::string text = fmt::format("{:<10}{:>8}", method, "slices");
  for (const Metric& metric : all_metrics) text += fmt::format("{:>11}", metric.name);
  for (const Region region : all_regions) {
    if (summary.at(region, mse_index).count == 0) continue;
    text += fmt::format("\n{:<10}{:>8}", region_name(region), summary.at(region, mse_index).count);
    for (size_t m = 0; m < all_metrics.size(); ++m) {
      const double mean = summary.at(region, m).mean;
      const bool equal = all_metrics[m].name == "psnr" && summary.at(region, mse_index).mean == 0;
      text += std::isnan(mean) ? fmt::format("{:>11}", equal ? "inf" : "-") : fmt::format("{:>11.5g}", mean);
    }
  }
  return text;
}

}  // namespace ipa
