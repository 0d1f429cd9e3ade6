#include "apps/evaluation_report.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/score_report.h"
#include "apps/settings_json.h"

namespace ipa {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t ssim_index = 0, psnr_index = 1, mse_index = 2;
static_assert(all_metrics[ssim_index].name == "ssim" && all_metrics[psnr_index].name == "psnr" &&
              all_metrics[mse_index].name == "mse");

std::optional<double> finite(double value) { return std::isfinite(value) ? std::optional(value) : std::nullopt; }

std::string shown(double value, int decimals, const char* unit = "") {
  if (std::isnan(value)) return "–";
  return std::isinf(value) ? "∞" : fmt::format("{:.{}f}{}", value, decimals, unit);
}

FigureTable figure_table(const ScoreTable& scores) {
  FigureTable table;
  table.methods = scores.methods();
  for (const Region region : all_regions) table.regions.emplace_back(region_name(region));
  table.metrics = {
      {"SSIM", 4, true}, {"PSNR (dB)", 2, true}, {"MSE", 1, false}, {"UQI", 4, true}, {"UQI (sewar)", 4, true}};
  for (const std::string& method : table.methods) {
    const Summary summary = scores.summary(method);
    for (const Region region : all_regions)
      for (std::size_t m = 0; m < all_metrics.size(); ++m) {
        const bool equal = m == psnr_index && summary.at(region, mse_index).mean == 0;  // in every slice
        table.figures.push_back(
            {equal ? INFINITY : finite(summary.at(region, m).mean), finite(summary.at(region, m).std)});
      }
  }
  return table;
}

TextTable subject_table(const ScoreTable& scores) {
  TextTable table{
      {"subject", "slices", "PSNR in the mask: corrupted", "harmonic", "raw", "composite", "its SSIM: mask", "whole"},
      {}};
  const auto corrupted = scores.subject_summaries("corrupted"), harmonic = scores.subject_summaries("harmonic"),
             raw = scores.subject_summaries("raw");
  for (const auto& [subject, summary] : scores.subject_summaries("composite")) {
    if (subject.empty()) continue;
    const auto psnr = [](const Summary& s) { return shown(s.at(Region::mask, psnr_index).mean, 2, " dB"); };
    table.rows.push_back({subject, fmt::format("{}", summary.slices), psnr(corrupted.at(subject)),
                          psnr(harmonic.at(subject)), psnr(raw.at(subject)), psnr(summary),
                          shown(summary.at(Region::mask, ssim_index).mean, 4),
                          shown(summary.at(Region::whole, ssim_index).mean, 4)});
  }
  return table;
}

ReportCase report_case(const char* rank, std::int64_t slice, const ScoreTable& scores, Evaluator& evaluator) {
  const EvaluatedSlice made = evaluator.inpaint(static_cast<std::uint64_t>(slice), 1).front();
  const PlaneSize size = evaluator.size();
  const auto picture = [&](const std::vector<std::uint8_t>& grey) { return Image8{size.height, size.width, 1, grey}; };
  std::vector<float> difference(size.pixels());
  for (std::size_t i = 0; i < difference.size(); ++i)
    difference[i] = static_cast<float>(made.composite[i]) - static_cast<float>(made.target[i]);
  constexpr float limit = 64;  // grey levels

  const ScoreRow& row = scores.rows("composite")[static_cast<std::size_t>(slice)];
  ReportCase result;
  result.rank = rank;
  result.caption = fmt::format("slice {}{}", slice, row.subject.empty() ? "" : " of " + row.subject);
  result.panels = {{"input", picture(made.corrupted)},
                   {"output", picture(made.composite)},
                   {"target", picture(made.target)},
                   {"difference", difference_image(difference, size.height, size.width, limit)},
                   {"change map", overlay_image(picture(made.corrupted), made.change)}};
  for (const char* method : {"composite", "harmonic", "corrupted"}) {
    const Scores& s = scores.rows(method)[static_cast<std::size_t>(slice)].scores[Region::mask];
    result.figures.emplace_back(fmt::format("{}, PSNR in the mask", method), shown(s.psnr, 2, " dB"));
  }
  result.figures.emplace_back("SSIM in the mask", shown(row.scores[Region::mask].ssim, 4));
  return result;
}

}  // namespace

Json evaluation_json(const Evaluation& evaluation, const Model& model, const EvaluationSource& source) {
  Json result = scores_json(evaluation.scores);
  result["model"] = {{"source", model.source.string()},
                     {"step", model.step},
                     {"version", model.version},
                     {"settings", settings_json(model.settings)}};
  result["data"] = source.data.string();
  result["masks"] = source.masks.string();
  result["views"] = source.views;
  result["change_map"] = {{"threshold", model.change_threshold}, {"calibrated", model.calibrated}};
  result["false_change"] = {{"rate", evaluation.clean > 0 ? Json(evaluation.false_change) : Json(nullptr)},
                            {"n", evaluation.clean}};
  return result;
}

std::vector<std::int64_t> telling_slices(const ScoreTable& scores) {
  std::vector<std::pair<double, std::int64_t>> ranked;
  for (const ScoreRow& row : scores.rows("composite"))
    if (const double psnr = row.scores[Region::mask].psnr; !std::isnan(psnr)) ranked.emplace_back(psnr, row.slice);
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::int64_t> slices;
  if (!ranked.empty())
    for (const std::size_t at : {std::size_t{0}, ranked.size() / 2, ranked.size() - 1})
      if (slices.empty() || slices.back() != ranked[at].second) slices.push_back(ranked[at].second);
  return slices;
}

Report evaluation_report(const Evaluation& evaluation, const Model& model, const EvaluationSource& source,
                         Evaluator& evaluator, std::vector<Chart> curves) {
  const ScoreTable& scores = evaluation.scores;
  const Summary composite = scores.summary("composite"), corrupted = scores.summary("corrupted"),
                harmonic = scores.summary("harmonic");
  const auto mean = [](const Summary& s, Region region, std::size_t metric) { return s.at(region, metric).mean; };

  Report report;
  report.title = "ipA-MedGAN: evaluation";
  report.subtitle = fmt::format("{}, step {}, on the {} slices of {}", model.source.string(), model.step,
                                composite.slices, source.data.string());
  report.highlights = {
      {shown(mean(composite, Region::mask, psnr_index), 2, " dB"), "PSNR in the mask, composite",
       fmt::format("corrupted input {}, harmonic fill {}", shown(mean(corrupted, Region::mask, psnr_index), 2, " dB"),
                   shown(mean(harmonic, Region::mask, psnr_index), 2, " dB"))},
      {shown(mean(composite, Region::whole, ssim_index), 4), "SSIM of the whole slice, composite",
       fmt::format("corrupted input {}, harmonic fill {}", shown(mean(corrupted, Region::whole, ssim_index), 4),
                   shown(mean(harmonic, Region::whole, ssim_index), 4))}};
  report.scores = figure_table(scores);
  if (evaluation.clean > 0)
    report.false_change = Report::FalseChange{evaluation.false_change, model.change_threshold, evaluation.clean};
  const std::vector<std::int64_t> cases = telling_slices(scores);
  constexpr std::array ranks{"worst", "median", "best"};
  for (std::size_t i = 0; i < cases.size(); ++i)
    report.cases.push_back(
        report_case(i + 1 == cases.size() && i > 0 ? ranks[2] : ranks[i], cases[i], scores, evaluator));
  report.subjects = subject_table(scores);
  report.curves = std::move(curves);
  report.settings = {{"model", model.source.string()},
                     {"data", source.data.string()},
                     {"masks", source.masks.string()},
                     {"views", std::to_string(source.views)},
                     {"change threshold", fmt::format("{:.6g}{}", model.change_threshold,
                                                      model.calibrated ? "" : " (default: not calibrated)")}};
  const Json settings = settings_json(model.settings);
  for (const auto& [key, value] : settings.items())
    report.settings.emplace_back(key, value.dump(-1, ' ', false, Json::error_handler_t::replace));
  report.footer = fmt::format("ipamedgan {}; the model was written by {}", IPA_VERSION, model.version);
  return report;
}

}  // namespace ipa
