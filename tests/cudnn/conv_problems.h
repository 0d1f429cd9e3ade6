// Every convolution that the full-size networks ask of cuDNN, each once.
#pragma once

#include <vector>

#include "kernels/conv_problem.h"

namespace ipa::test {

// Of a training step at the paper's widths (256x256, both discriminators, VGG-19) and of the generator in inference.
std::vector<cuda::ConvProblem> network_problems(std::int64_t batch);

// Those of a training step that is rewritten in every way (graph/rewrite.h) and are not among them: with an addition,
// with sums for batch norm.
std::vector<cuda::ConvProblem> rewritten_problems(std::int64_t batch);

// The fused forms at the shapes of the MultiRes blocks: statistics, normalised inputs, gradients, into and from slices.
std::vector<cuda::ConvProblem> fused_problems(std::int64_t batch);

}  // namespace ipa::test
