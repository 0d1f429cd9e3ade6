// Device code of training_pairs.h.
#pragma once

#include "kernels/grey.h"
#include "kernels/numbers8.cuh"
#include "kernels/training_pairs.h"

namespace ipa {

struct PairSlices {
  int side;
  std::int64_t count;  // pixels of all samples
  const std::int32_t* order;
};

__device__ __forceinline__ float scaled_pixel(const std::uint8_t* slices, std::int64_t i) {
  return scaled_grey(slices[i]);
}
__device__ __forceinline__ float scaled_pixel(const float* slices, std::int64_t i) { return slices[i]; }

// Of a sample, mirrored if it is to be.
template <class Pixel>
__device__ __forceinline__ float sample_pixel(const Pixel* slices, const PairSlices& s, std::int64_t sample, int row,
                                              int column, bool flipped) {
  const std::int64_t first = s.order[sample] * (std::int64_t{s.side} * s.side);
  return scaled_pixel(slices, first + std::int64_t{row} * s.side + (flipped ? s.side - 1 - column : column));
}

// The sum of the four bytes, 0 or 1 each.
__device__ __forceinline__ std::int32_t byte_sum(std::uint32_t word) {
  return static_cast<std::int32_t>(word * 0x01010101u >> 24);
}

// A thread's part of the share of a mask of the set: 16 pixels at a time.
__device__ __forceinline__ HeadShare part_of_mask(const std::uint8_t* mask, const std::uint8_t* head, int pixels) {
  HeadShare part{0, 0};
  for (int p = 16 * static_cast<int>(threadIdx.x); p < pixels; p += 16 * static_cast<int>(blockDim.x)) {
    const Vector16 m = load_vector(mask + p), h = load_vector(head + p);
    for (int k = 0; k < 4; ++k) {
      part.area += byte_sum(m.word[k]);
      part.head += byte_sum(m.word[k] & h.word[k]);
    }
  }
  return part;
}

__device__ __forceinline__ HeadShare part_of_square(const MaskRule& rule, const MaskCandidate& c,
                                                    const std::uint8_t* head) {
  HeadShare part{0, 0};
  const int side = rule.square();
  for (int p = static_cast<int>(threadIdx.x); p < side * side; p += static_cast<int>(blockDim.x)) {
    ++part.area;
    part.head += head[(c.row + p / side) * rule.width + c.column + p % side];
  }
  return part;
}

// Sums over the block, the same in all threads. `parts` holds one word per warp; a caller that sums again takes other
// memory than the last time, so that one barrier is enough.
__device__ __forceinline__ HeadShare block_sum(HeadShare part, std::uint64_t* parts) {
  std::uint64_t both = static_cast<std::uint64_t>(part.area) << 32 | static_cast<std::uint32_t>(part.head);
  for (int mask = 16; mask > 0; mask /= 2) both += shuffle_xor(both, mask);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = both;
  __syncthreads();
  std::uint64_t sum = 0;
  for (unsigned w = 0; w < blockDim.x / 32; ++w) sum += parts[w];
  return {static_cast<std::int32_t>(sum >> 32), static_cast<std::int32_t>(sum)};
}

constexpr unsigned pair_draw_threads = 256;
constexpr std::size_t pair_draw_shared_bytes = 2 * (pair_draw_threads / 32) * sizeof(std::uint64_t);

// One block per sample. Every thread draws the same numbers, so that all loops are uniform over the block.
template <class Pixel>
__global__ void __launch_bounds__(pair_draw_threads)
    draw_pairs_kernel(PairWorkspace w, const Pixel* slices, PairSlices s, const std::uint8_t* masks, MaskRule rule,
                      const std::int32_t* step, PairAttributes a) {
  const std::uint32_t sample = blockIdx.x, now = static_cast<std::uint32_t>(step[0]);
  const int pixels = s.side * s.side;
  const bool flipped = a.flip && draws_flip(a.seed, now, a.first_sample + sample);
  std::uint8_t* head = w.head + std::int64_t{sample} * pixels;
  for (int p = static_cast<int>(threadIdx.x); p < pixels; p += static_cast<int>(blockDim.x))
    head[p] = grey_level(sample_pixel(slices, s, sample, p / s.side, p % s.side, flipped), -1, 127.5f) > head_threshold;
  __syncthreads();

  auto* parts = shared_memory<std::uint64_t>();
  MaskDraw draw(rule, a.seed, now, a.first_sample + sample);
  MaskCandidate c;
  HeadShare share;
  do {
    c = draw.next();
    const HeadShare part = rule.masks > 0 ? part_of_mask(masks + std::int64_t{c.index} * pixels, head, pixels)
                                          : part_of_square(rule, c, head);
    share = block_sum(part, parts + draw.attempts() % 2 * (pair_draw_threads / 32));
  } while (draw.judge(c, share));
  if (threadIdx.x == 0) w.choices[sample] = {draw.best(), flipped};
}

// A thread writes one pixel of each tensor, with its padding.
template <class T, class Pixel>
__global__ void __launch_bounds__(threads_per_block)
    write_pairs_kernel(T* target, T* corrupted, T* mask, PairWorkspace w, const Pixel* slices, PairSlices s,
                       const std::uint8_t* masks, MaskRule rule, float hole) {
  const int pixels = s.side * s.side;
  for (std::int64_t i = first_item(); i < s.count; i += item_stride()) {
    const std::int64_t sample = i / pixels;
    const int p = static_cast<int>(i % pixels), row = p / s.side, column = p % s.side;
    const PairChoice choice = w.choices[sample];
    const MaskCandidate& c = choice.mask;
    const bool inside = rule.masks > 0 ? masks[std::int64_t{c.index} * pixels + p] != 0
                                       : row >= c.row && row < c.row + rule.square() && column >= c.column &&
                                             column < c.column + rule.square();
    const float value = sample_pixel(slices, s, sample, row, column, choice.flipped != 0);
    store8(target + 8 * i, Numbers8{{value}});
    store8(corrupted + 8 * i, Numbers8{{inside ? hole : value}});
    store8(mask + 8 * i, Numbers8{{inside ? 1.0f : 0.0f}});
  }
}

}  // namespace ipa
