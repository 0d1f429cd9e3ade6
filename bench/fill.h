// Numbers to compute with where only the time counts.
#pragma once

#include "engine/tensor.h"

namespace ipa::bench {

// Uniform in [low, high), a block of them again and again; padding stays 0, and so do tensors of other types. Random
// bits matter: GPUs compute faster on constants.
void fill_with_numbers(const Tensor& t, float low = -1, float high = 1, unsigned seed = 1);

}  // namespace ipa::bench
