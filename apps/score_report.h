// A table of scores as JSON and CSV: what `score` and `evaluate` write (docs/file_formats.md, "Scores").
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "kernels/score_table.h"

namespace ipa {

// {"n", METHOD: {REGION: {"ssim", "psnr", "mse", "uqi", "uqi_sewar", "n", "std": {...}}}, "subjects": {SUBJECT:
// {METHOD: {REGION: {...}}}}}: means over slices, null where no slice has a finite value; "n" of a region counts the
// slices in which it is not empty.
nlohmann::ordered_json scores_json(const ScoreTable& table);

// "slice,region,ssim,psnr,mse,uqi,uqi_sewar", a row per slice and region that is not empty; inf where an image equals
// its target, nan where a region holds no window's centre.
std::string per_slice_csv(const ScoreTable& table, const std::string& method);
// The same of every method: "method,slice,subject,region,ssim,...", subjects quoted where they need it.
std::string per_slice_csv(const ScoreTable& table);

// For people: a line per region of a method.
std::string scores_text(const ScoreTable& table, const std::string& method);

}  // namespace ipa
