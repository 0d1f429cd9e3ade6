// The course of a training as charts for a report.
#pragma once

#include <filesystem>
#include <vector>

#include "io/chart.h"

namespace ipa {

// From the metrics.csv of a run folder; none where there is no such file. Throws ErrorKind::input, naming the line,
// where it is not what `train` writes.
std::vector<Chart> training_curves(const std::filesystem::path& run_folder);

}  // namespace ipa
