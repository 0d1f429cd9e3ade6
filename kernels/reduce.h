// Sums to one number, in double, over blocks fixed by the count: the same bits on any number of threads.
#pragma once

#include <cstddef>

#include "kernels/parallel.h"

namespace ipa {

constexpr std::int64_t sum_block = 16384;

constexpr std::size_t ordered_sum_workspace_bytes(std::int64_t count) {
  return static_cast<std::size_t>((count + sum_block - 1) / sum_block) * sizeof(double);
}

// The sum of f(i) over [0, count); `workspace` of ordered_sum_workspace_bytes(count).
template <class F>
double ordered_sum(std::int64_t count, void* workspace, F f) {
  double* partial = static_cast<double*>(workspace);
  parallel_blocks(count, sum_block, [=](std::int64_t block, std::int64_t first, std::int64_t last) {
    F g = f;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = first; i < last; ++i) sum += static_cast<double>(g(i));
    partial[block] = sum;
  });
  double total = 0;
  for (std::int64_t b = 0; b < (count + sum_block - 1) / sum_block; ++b) total += partial[b];
  return total;
}

}  // namespace ipa
