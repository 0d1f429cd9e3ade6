// What is written when training diverges, to find out why.
#pragma once

#include <filesystem>
#include <vector>

#include "nets/trainer.h"

namespace ipa {

// JSON: step, losses, the batch's slices, and the norm of every parameter and of its gradient.
void write_post_mortem(const std::filesystem::path& path, const Trainer& trainer, const Gan& gan,
                       const StepMetrics& metrics, const std::vector<std::int64_t>& slices);

}  // namespace ipa
