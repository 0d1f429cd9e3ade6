// Sums of whole tensors to one number each on CUDA: into how many blocks they are split, for those who plan memory and
// for kernels/scalar_sum.cuh. A function of the size alone, so that the bits are the same on any GPU.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "engine/tensor.h"

namespace ipa {

constexpr std::int64_t groups_of_eight(const Shape& s) { return s.pixels() * (padded_to_8(s.c) / 8); }

// Of 256 threads; the most fill a GPU of 132 SMs about once.
constexpr std::int64_t sum_blocks(std::int64_t groups) {
  return std::clamp<std::int64_t>((groups + 255) / 256, 1, 1024);
}

constexpr std::size_t scalar_sum_workspace_bytes(const Shape& s) {
  return static_cast<std::size_t>(sum_blocks(groups_of_eight(s))) * sizeof(double);
}

}  // namespace ipa
