// Choosing among plans by trial, and keeping what was chosen from run to run. Knows neither cuDNN nor a GPU.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ipa {

// What was seen of one candidate, compared with a reference result.
struct PlanTrial {
  std::size_t workspace_bytes = 0;
  double error = 0;       // ||result - reference|| / ||reference||
  double worst = 0;       // the largest |result - reference|, in units of the reference's root mean square
  bool repeats = true;    // a second run gave the same bits
  bool keeps_nan = true;  // wherever the reference is NaN the result is
  double milliseconds = 0;
};

struct PlanLimits {
  std::size_t workspace_bytes = 0;
  double error = 0;  // and 10 times as much for any one element
};

std::string refusal(const PlanTrial& trial, const PlanLimits& limits);  // empty if the plan may be chosen

// Tries candidates in order until `most` of them could be tried, and chooses the fastest that is not refused.
struct PlanChoice {
  int index = -1;                    // none
  std::vector<std::string> refused;  // why, one a candidate
};
using TryPlan = std::function<std::optional<PlanTrial>(int candidate, std::string& why_not)>;
PlanChoice choose_plan(int candidates, int most, const PlanLimits& limits, const TryPlan& try_plan);

// One file a plan. What cannot be read, is damaged or belongs to another key counts as absent; where nothing can be
// written nothing is kept. Processes may share a folder.
class PlanCache {
 public:
  explicit PlanCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::optional<std::string> find(const std::string& key) const;
  // Returns the plan to be used from now on: this one, or the one that another process kept first, so that all later
  // runs use the same.
  std::string keep(const std::string& key, const std::string& plan) const;
  // For a plan that was found but cannot be used.
  void forget(const std::string& key) const;

  std::filesystem::path path(const std::string& key) const;

 private:
  std::filesystem::path folder_;
};

// $IPAMEDGAN_CACHE, else ipamedgan in $XDG_CACHE_HOME, else in ~/.cache; the temporary folder without a home.
std::filesystem::path cache_folder();

}  // namespace ipa
