// What `ipamedgan evaluate` writes: scores.json and report.html (per_slice.csv is score_report.h's).
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "apps/evaluation.h"
#include "io/report.h"

namespace ipa {

struct EvaluationSource {
  std::filesystem::path data, masks;  // as the user named them
  int views = 1;                      // that the network's output is averaged over
};

// scores_json(), and "model", "data", "masks", "views", "change_map", "false_change": a function of the inputs alone.
nlohmann::ordered_json evaluation_json(const Evaluation& evaluation, const Model& model,
                                       const EvaluationSource& source);

// The slices with the worst, the median and the best in-mask PSNR of the composite; fewer where there are fewer.
// Slices with an empty mask are passed over.
std::vector<std::int64_t> telling_slices(const ScoreTable& scores);

// `evaluator` makes the pictures of those slices once more.
Report evaluation_report(const Evaluation& evaluation, const Model& model, const EvaluationSource& source,
                         Evaluator& evaluator, std::vector<Chart> curves);

}  // namespace ipa
