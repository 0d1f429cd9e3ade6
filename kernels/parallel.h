// Work split over OpenMP threads. Blocks are fixed by the problem, not by the number of threads, so that a reduction
// over blocks in block order gives the same bits on any number of threads.
#pragma once

#include <algorithm>
#include <cstdint>

namespace ipa {

// Rows (pixels) that a block of a per-channel reduction covers: about 32k elements, whatever the number of threads.
constexpr std::int64_t reduction_rows(std::int64_t channels) {
  return std::clamp<std::int64_t>(32768 / std::max<std::int64_t>(channels, 1), 16, 4096);
}
constexpr std::int64_t reduction_blocks(std::int64_t rows, std::int64_t channels) {
  return (rows + reduction_rows(channels) - 1) / reduction_rows(channels);
}

// body(block, first, last) for each block of `rows_per_block` rows.
template <class Body>
void parallel_blocks(std::int64_t rows, std::int64_t rows_per_block, Body&& body) {
  const std::int64_t blocks = (rows + rows_per_block - 1) / rows_per_block;
#pragma omp parallel for schedule(static)
  for (std::int64_t b = 0; b < blocks; ++b) body(b, b * rows_per_block, std::min(rows, (b + 1) * rows_per_block));
}

// body(first, last) over [0, count), for work without reductions.
template <class Body>
void parallel_range(std::int64_t count, Body&& body) {
  parallel_blocks(count, 16384, [&](std::int64_t, std::int64_t first, std::int64_t last) { body(first, last); });
}

}  // namespace ipa
