// What winograd_simd.cpp, compiled once per instruction set, offers to winograd.cpp.
#pragma once

#include <cstdint>

#include "kernels/simd_level.h"

namespace ipa {

struct WinogradShape {
  std::int64_t images, height, width, in, out;  // channels in and out
};

// The arrays of one call. Activations are read and written pixel by pixel, `pitch` floats apart; what is null is left
// out.
struct WinogradCall {
  WinogradShape shape;
  const float* x;
  std::int64_t x_pitch;
  const float *x_scale, *x_shift;  // per channel; both or none
  bool x_relu;                     // after them
  const float* weights;            // transformed
  float* y;
  std::int64_t y_pitch;
  const float *y_scale, *y_shift;
  const float* added;
  std::int64_t added_pitch;
  bool y_rectify;  // below 0 y becomes slope * y, or 0 where the slope is 0
  float y_slope;
};

// Sizes in floats, each a multiple of 16.
struct WinogradLayout {
  std::int64_t strips;          // parts of the work, which can be done in any order
  std::int64_t weights_floats;  // of the transformed weights
  std::int64_t weights_parts;   // parts of the work of transforming them
  std::int64_t scratch_floats;  // of one thread
};

struct WinogradKernels {
  WinogradLayout (*layout)(const WinogradShape& shape);
  // Parts [first, last). `w` is (out, 3, 3, in) or, where `backward`, (in, 3, 3, out): then its transpose, turned by
  // 180 degrees, is taken, as backward-data wants it.
  void (*transform_weights)(const WinogradShape& shape, const float* w, bool backward, float* transformed,
                            std::int64_t first, std::int64_t last);
  // Strips [first, last).
  void (*run)(const WinogradCall& call, std::int64_t first, std::int64_t last, float* scratch);
};

IPA_SIMD_DECLARE(WinogradKernels, winograd_kernels)

}  // namespace ipa
