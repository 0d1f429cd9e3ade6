// The convolutions by their definition, on the device: what cuDNN's plans are checked against before one is trusted.
// Slow (a thread an output element, sums in double); every fused form of kernels/conv_problem.h.
#pragma once

#include <cstdint>

#include "engine/stream.h"
#include "kernels/conv_problem.h"

namespace ipa::cuda {

// The main result of the problem (dx, y or dw) into `result`: f32, packed with the padded channels, not rounded.
// Statistics are not computed: conv_direct_statistics takes them from `result` into (2, C) sums and sums of squares.
void conv_direct(Stream& stream, const ConvProblem& problem, const ConvPointers& operands, float* result);
void conv_direct_statistics(Stream& stream, const ConvProblem& problem, const float* result, float* sums);

// wt (Ci,kh,kw,Co) = w (Co,kh,kw,Ci) turned by 180 degrees, both padded: the filters of a dgrad by forward convolution.
void flip_filters(Stream& stream, const Shape& w_shape, DType dtype, void* wt, const void* w);

// Uniform in [-amplitude, amplitude), a function of seed and position.
void fill_random(Stream& stream, DType dtype, void* data, std::int64_t count, float amplitude, std::uint32_t seed);
void fill_value(Stream& stream, DType dtype, void* data, std::int64_t count, float value);

struct Difference {
  double squared = 0, reference_squared = 0;  // sums of (value - reference)^2 and of reference^2
  double largest = 0;                         // |value - reference|, NaN if one is
  std::uint64_t bits = 0;                     // depends on every bit of the values, not on the order of summation
  std::int64_t numbers = 0;                   // values that are not NaN in the first `channels`
};
// Compares values (pixels, channels) at `pitch` with packed f32; one Difference on the device.
void compare(Stream& stream, const ConvLayout& layout, const void* values, const float* reference,
             std::int64_t nan_channels, Difference* result);

}  // namespace ipa::cuda
