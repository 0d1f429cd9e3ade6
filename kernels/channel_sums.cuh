// Sums per channel over all pixels of a tensor, in an order fixed by its shape: each thread adds up its pixels in fp32,
// store_sums() adds the threads of a block in double and writes the block's part, finish_sums_kernel adds the blocks
// and hands the sums to a functor. The parts are (blocks, quantities, pitch) doubles of workspace.
#pragma once

#include "kernels/channel_grid.h"
#include "kernels/numbers8.cuh"

namespace ipa {

// A thread's share of a ChannelGrid: channels `channel` to `channel` + 7 of pixels first, first + stride, ... below
// grid.pixels. A thread without work has no pixels, but a channel that exists. A pass that reads a tensor which the
// pass before has just read should take the pixels from the end, grid.pixels - 1 - p: they are still in the L2 cache.
struct ChannelThread {
  int row;  // in the block
  bool works;
  std::int64_t channel, first, stride;
  std::int64_t any;  // a pixel that exists: the first, if it does

  __device__ explicit ChannelThread(const ChannelGrid& grid)
      : row(static_cast<int>(threadIdx.x) / grid.width), stride(static_cast<std::int64_t>(grid.blocks) * grid.rows) {
    const int group = static_cast<int>(blockIdx.y) * grid.width + static_cast<int>(threadIdx.x) % grid.width;
    works = row < grid.rows && group < grid.groups;
    channel = std::int64_t{8} * (group < grid.groups ? group : grid.groups - 1);
    first = works ? static_cast<std::int64_t>(blockIdx.x) * grid.rows + row : grid.pixels;
    any = first < grid.pixels ? first : grid.pixels - 1;
  }

  // use(p, load(p)) for every pixel p of the thread, in order. `Ahead` pixels are loaded before the first is used: 512
  // threads, which are there with 128 registers each, should have some 128 bytes each under way to keep the memory
  // busy.
  template <int Ahead, class Load, class Use>
  __device__ __forceinline__ void for_pixels(const ChannelGrid& grid, const Load& load, const Use& use) const {
    std::int64_t p = first;
    decltype(load(p)) loaded[Ahead];
    for (; p + (Ahead - 1) * stride < grid.pixels; p += Ahead * stride) {
      for (int j = 0; j < Ahead; ++j) loaded[j] = load(p + j * stride);
      for (int j = 0; j < Ahead; ++j) use(p + j * stride, loaded[j]);
    }
    if (p >= grid.pixels) return;
    for (int j = 0; j < Ahead - 1; ++j) loaded[j] = load(p + j * stride < grid.pixels ? p + j * stride : p);
    for (int j = 0; j < Ahead - 1; ++j)
      if (p + j * stride < grid.pixels) use(p + j * stride, loaded[j]);
  }
};

constexpr std::size_t sums_shared_bytes = ChannelGrid::threads * 8 * sizeof(double);  // of a kernel with store_sums()

template <class... P, class... A>
void launch_over(Stream& stream, const ChannelGrid& grid, std::size_t shared_bytes, void (*kernel)(P...),
                 const A&... arguments) {
  launch(stream, dim3(static_cast<unsigned>(grid.blocks), static_cast<unsigned>(grid.chunks)), ChannelGrid::threads,
         shared_bytes, kernel, arguments..., grid);
}

// Adds up the block's threads of each channel, in halves, and writes quantity k of `quantities` to the workspace. For
// all threads of the block; those without pixels must bring zeros. N is float or double.
template <class N>
__device__ __forceinline__ void store_sums(double* parts, int quantities, int k, const ChannelGrid& grid,
                                           const ChannelThread& thread, const N (&sums)[8]) {
  double* mine = shared_memory<double>() + threadIdx.x;  // number i at 256 i: no bank conflicts
  __syncthreads();                                       // of the call before, everything is read
  for (int i = 0; i < 8; ++i) mine[ChannelGrid::threads * i] = sums[i];
  for (int count = grid.rows, half; count > 1; count = half) {
    half = (count + 1) / 2;
    __syncthreads();
    if (thread.row + half < count)
      for (int i = 0; i < 8; ++i) mine[ChannelGrid::threads * i] += mine[ChannelGrid::threads * i + half * grid.width];
  }
  if (thread.works && thread.row == 0) {
    double* to = parts + (static_cast<std::int64_t>(blockIdx.x) * quantities + k) * grid.pitch() + thread.channel;
    for (int i = 0; i < 8; ++i) to[i] = mine[ChannelGrid::threads * i];
  }
}

// Calls f(c, sums) with the K sums of every channel c below the pitch (where a tensor is padded, so are its sums: 0). A
// block takes eight channels; 32 threads of each add up every 32nd part.
template <int K, class F>
__global__ void __launch_bounds__(ChannelGrid::threads) finish_sums_kernel(const double* parts, ChannelGrid grid, F f) {
  const std::int64_t c = std::int64_t{8} * blockIdx.x + threadIdx.x % 8;
  double sums[K] = {};
  for (int b = static_cast<int>(threadIdx.x) / 8; b < grid.blocks; b += ChannelGrid::threads / 8)
    for (int k = 0; k < K; ++k) sums[k] += parts[(std::int64_t{b} * K + k) * grid.pitch() + c];

  constexpr int warps = ChannelGrid::threads / 32;
  double* shared = shared_memory<double>();  // (K, warps, 8)
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  for (int k = 0; k < K; ++k) {
    sums[k] += shuffle_xor(sums[k], 8);
    sums[k] += shuffle_xor(sums[k], 16);
    if (lane < 8) shared[(k * warps + warp) * 8 + lane] = sums[k];
  }
  __syncthreads();
  if (threadIdx.x >= 8) return;
  for (int k = 0; k < K; ++k) {
    sums[k] = 0;
    for (int w = 0; w < warps; ++w) sums[k] += shared[(k * warps + w) * 8 + lane];
  }
  f(c, sums);
}

template <int K, class F>
void finish_sums(Stream& stream, const double* parts, const ChannelGrid& grid, const F& f) {
  launch(stream, dim3(static_cast<unsigned>(grid.groups)), ChannelGrid::threads,
         K * ChannelGrid::threads / 4 * sizeof(double), finish_sums_kernel<K, F>, parts, grid, f);
}

}  // namespace ipa
