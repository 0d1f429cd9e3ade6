// The weights that a golden file was computed with.
#pragma once

#include "nets/parameters.h"
#include "tests/support/golden.h"

namespace ipa::test {

// Those of weights.safetensors (vgg.safetensors for the network "vgg19"), of which the golden file replaces some.
void load_weights(Parameters& parameters, const Golden& golden);

WeightMap gradients_of(const Parameters& parameters);  // in the files' layouts

}  // namespace ipa::test
