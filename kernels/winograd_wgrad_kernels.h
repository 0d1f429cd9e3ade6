// What winograd_wgrad_simd.cpp, compiled once per instruction set, offers to winograd_wgrad.cpp: phases of work, one
// after the other, each of parts that can be done in any order and at once. What a part computes, and so every bit of
// the gradient, does not depend on who does it.
#pragma once

#include "kernels/winograd_kernels.h"

namespace ipa {

struct WinogradWgradCall {
  WinogradCall forward;  // shape, x and its prologue
  const float* dy;
  std::int64_t dy_pitch;
  float* dw;  // (out, 3, 3, in), packed
};

struct WinogradWgradWork {
  std::int64_t phases;
  std::int64_t shared_floats, scratch_floats;  // of workspace: for all, and for each thread; multiples of 16
};

struct WinogradWgradKernels {
  WinogradWgradWork (*work)(const WinogradShape& shape);
  std::int64_t (*parts)(const WinogradShape& shape, std::int64_t phase);
  void (*run)(const WinogradWgradCall& call, std::int64_t phase, std::int64_t part, float* shared, float* scratch);
};

IPA_SIMD_DECLARE(WinogradWgradKernels, winograd_wgrad_kernels)

}  // namespace ipa
