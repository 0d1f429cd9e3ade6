#include "kernels/score_table.h"

#include <cmath>
#include <limits>

#include "engine/error.h"

namespace ipa {
namespace {

Statistic statistic(const std::vector<const ScoreRow*>& rows, Region region, double Scores::*member) {
  constexpr double undefined = std::numeric_limits<double>::quiet_NaN();
  Statistic result{undefined, undefined, 0};
  double sum = 0;
  for (const ScoreRow* row : rows)
    if (const double value = row->scores[region].*member; std::isfinite(value)) {
      sum += value;
      ++result.count;
    }
  if (result.count == 0) return result;
  result.mean = sum / static_cast<double>(result.count);
  if (result.count < 2) return result;
  double squares = 0;
  for (const ScoreRow* row : rows)
    if (const double value = row->scores[region].*member; std::isfinite(value))
      squares += (value - result.mean) * (value - result.mean);
  result.std = std::sqrt(squares / static_cast<double>(result.count - 1));
  return result;
}

Summary summarize(const std::vector<const ScoreRow*>& rows) {
  Summary summary;
  summary.slices = static_cast<std::int64_t>(rows.size());
  for (Region region : all_regions)
    for (std::size_t m = 0; m < all_metrics.size(); ++m)
      summary.regions[static_cast<std::size_t>(region)].metrics[m] = statistic(rows, region, all_metrics[m].member);
  return summary;
}

}  // namespace

void ScoreTable::add(const std::string& method, std::int64_t slice, const std::string& subject,
                     const SliceScores& scores) {
  if (!rows_.contains(method)) methods_.push_back(method);
  rows_[method].push_back({slice, subject, scores});
}

const std::vector<ScoreRow>& ScoreTable::rows(const std::string& method) const {
  const auto found = rows_.find(method);
  require(found != rows_.end(), "ScoreTable: no rows of the method " + method);
  return found->second;
}

Summary ScoreTable::summary(const std::string& method) const {
  std::vector<const ScoreRow*> all;
  for (const ScoreRow& row : rows(method)) all.push_back(&row);
  return summarize(all);
}

std::map<std::string, Summary> ScoreTable::subject_summaries(const std::string& method) const {
  std::map<std::string, std::vector<const ScoreRow*>> subjects;
  for (const ScoreRow& row : rows(method)) subjects[row.subject].push_back(&row);
  std::map<std::string, Summary> summaries;
  for (const auto& [subject, its_rows] : subjects) summaries[subject] = summarize(its_rows);
  return summaries;
}

}  // namespace ipa
