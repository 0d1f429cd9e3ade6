// Scores of many slices by many methods, and their averages. Pure data; writing it as JSON or CSV is the application's
// job.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernels/metrics.h"

namespace ipa {

struct Statistic {
  double mean = 0;         // NaN where count is 0
  double std = 0;          // over slices, with count - 1; NaN where count is below 2
  std::int64_t count = 0;  // finite values averaged
};

// One Statistic per metric, in the order of all_metrics.
struct RegionSummary {
  std::array<Statistic, all_metrics.size()> metrics;
};
struct Summary {
  std::int64_t slices = 0;
  std::array<RegionSummary, all_regions.size()> regions;
  const Statistic& at(Region region, std::size_t metric) const {
    return regions[static_cast<std::size_t>(region)].metrics[metric];
  }
};

struct ScoreRow {
  std::int64_t slice;
  std::string subject;  // empty: unknown
  SliceScores scores;
};

class ScoreTable {
 public:
  void add(const std::string& method, std::int64_t slice, const std::string& subject, const SliceScores& scores);

  // Methods in the order of their first row.
  const std::vector<std::string>& methods() const { return methods_; }
  const std::vector<ScoreRow>& rows(const std::string& method) const;

  // Means over slices; undefined and infinite values are left out.
  Summary summary(const std::string& method) const;
  // The same of each subject, by its name.
  std::map<std::string, Summary> subject_summaries(const std::string& method) const;

 private:
  std::vector<std::string> methods_;
  std::map<std::string, std::vector<ScoreRow>> rows_;
};

}  // namespace ipa
