// Device code of cast.h.
#pragma once

#include "kernels/numbers8.cuh"

namespace ipa {

// Of `groups` groups of eight, padding among them: its zeros become zeros.
template <class To, class From>
__global__ void __launch_bounds__(threads_per_block) cast_kernel(To* y, const From* x, std::int64_t groups) {
  for (std::int64_t i = first_item(); i < groups; i += item_stride()) store8(y + 8 * i, load8(x + 8 * i));
}

// A block moves a tile of 8 pixels a thread. On the side of the rows a thread takes 8 neighbours, on that of the image
// every 256th pixel, with its padding, so that both sides are accessed without gaps; in between the tile lies in shared
// memory. The number of pixels is a multiple of 8.
constexpr int tile_pixels = 8 * static_cast<int>(threads_per_block);
constexpr std::size_t tile_bytes = tile_pixels * sizeof(float);

template <class T>
__global__ void __launch_bounds__(threads_per_block)
    image_from_rows_kernel(T* image, const float* rows, std::int64_t pixels) {
  auto* tile = shared_memory<float>();
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * tile_pixels;
  if (first + 8 * thread < pixels) store8(tile + 8 * thread, load8(rows + first + 8 * thread));
  __syncthreads();
  for (int p = thread; p < tile_pixels; p += static_cast<int>(threads_per_block))
    if (first + p < pixels) store8(image + 8 * (first + p), Numbers8{{tile[p]}});
}

template <class T>
__global__ void __launch_bounds__(threads_per_block)
    rows_from_image_kernel(float* rows, const T* image, std::int64_t pixels) {
  auto* tile = shared_memory<float>();
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * tile_pixels;
  for (int p = thread; p < tile_pixels; p += static_cast<int>(threads_per_block))
    if (first + p < pixels) tile[p] = to_float(image[8 * (first + p)]);
  __syncthreads();
  if (first + 8 * thread < pixels) store8(rows + first + 8 * thread, load8(tile + 8 * thread));
}

}  // namespace ipa
