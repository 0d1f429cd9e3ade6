// Device code of tail.h; that of the gradient is tail_gradient.cuh. A thread owns eight channels and walks over pixels,
// or over the windows of the pooling, whose four pixels it takes one after the other: then nothing of a neighbour is
// needed but the branch's shifted groups (side_by_side.cuh), and everything may be written in place. The padding of y
// and the gradients comes out as 0 because that of every operand, coefficient and statistic is.
#pragma once

#include "kernels/channel_stats.cuh"
#include "kernels/side_by_side.cuh"

namespace ipa {

// Which pixels an item of a ChannelGrid stands for: pixel k of `count` lies at at(first(item), k).
struct Singles {
  static constexpr int count = 1;
  IPA_HD std::int64_t first(std::int64_t item) const { return item; }
  IPA_HD std::int64_t at(std::int64_t first, int) const { return first; }
};
struct Windows {  // 2x2, in row order
  static constexpr int count = 4;
  std::uint32_t width;  // of the pooled image; the rows of all images stand one below the other
  IPA_HD std::int64_t first(std::int64_t item) const {
    const std::uint32_t row = static_cast<std::uint32_t>(item) / width;
    return 2 * (item + static_cast<std::int64_t>(row) * width);
  }
  IPA_HD std::int64_t at(std::int64_t first, int k) const {
    return first + (k & 1) + (k >> 1) * 2 * std::int64_t{width};
  }
};

__device__ __forceinline__ bool takes_maximum(float v, float most) { return v > most || v != v; }  // a NaN does

// What becomes of x on its way through memory.
__device__ __forceinline__ float stored_as(const float*, float x) { return x; }
__device__ __forceinline__ float stored_as(const bf16*, float x) { return to_float(to_bf16(x)); }

// A norm in two coefficients, y = scale x + offset. What it loses to the difference x - mean is of the size of x's own
// rounding; registers are short where two or three norms meet.
struct Linear8 {
  Numbers8 scale, offset;

  __device__ Linear8(const NormVectors& vectors, std::int64_t channel) {
    const Norm8 norm(vectors, channel);
    scale = norm.scale;
    for (int i = 0; i < 8; ++i) offset.v[i] = norm.shift.v[i] - norm.mean.v[i] * norm.scale.v[i];
  }
  __device__ float operator()(float x, int i) const { return scale.v[i] * x + offset.v[i]; }
};

// r of eight channels, as it passes through memory: the same bits in every pass.
template <class T, class F>
struct Inside8 {
  Linear8 shortcut, branch;
  F f;

  __device__ Inside8(const NormVectors& of_shortcut, const NormVectors& of_branch, F inner, std::int64_t channel)
      : shortcut(of_shortcut, channel), branch(of_branch, channel), f(inner) {
    if constexpr (std::is_same_v<F, Identity>)  // one offset is enough
      for (int i = 0; i < 8; ++i) shortcut.offset.v[i] += branch.offset.v[i], branch.offset.v[i] = 0;
  }
  __device__ float operator()(float s, float b, int i) const {
    return stored_as(static_cast<const T*>(nullptr), Relu{}.value(shortcut(s, i) + f.value(branch(b, i))));
  }
  __device__ float inner_slope(float b, int i) const { return f.slope_at(f.value(branch(b, i))); }
};

// A norm's sums that are known, (2, pitch), or null.
struct KnownSums {
  const float* data;
  std::int64_t pitch;

  // Makes the norm's statistics of them, or else of what a pass took.
  __device__ void finish(const ChannelStatistics& norm, std::int64_t c, double sum, double squares) const {
    if (data != nullptr) sum = static_cast<double>(data[c]), squares = static_cast<double>(data[pitch + c]);
    const double sums[2] = {sum, squares};
    norm.finish(c, sums);
  }
};

// `sums` are those of both, or two of the one that is not known.
struct FinishInnerStatistics {
  ChannelStatistics shortcut, branch;
  KnownSums of_shortcut, of_branch;
  template <int K>
  __device__ void operator()(std::int64_t c, const double (&sums)[K]) const {
    of_shortcut.finish(shortcut, c, sums[0], sums[1]);
    of_branch.finish(branch, c, sums[K - 2], sums[K - 1]);
  }
};

// Where both are known.
__global__ void __launch_bounds__(ChannelGrid::threads)
    tail_known_sums_kernel(FinishInnerStatistics statistics, std::int64_t pitch) {
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const double unread[2] = {};
  if (c < pitch) statistics(c, unread);
}

// The sums of the branch alone, for finish_sums<2>; of the shortcut alone moments_kernel takes them.
template <class T, int N>
__global__ void __launch_bounds__(ChannelGrid::threads, 2)
    tail_branch_moments_kernel(double* parts, Parts<T, N> branch, ChannelGrid grid) {
  const ChannelThread thread(grid);
  Moments8 moments(branch.load(thread.any, thread.channel));
  IPA_UNROLL(4)
  for (std::int64_t p = thread.first; p < grid.pixels; p += thread.stride) moments.add(branch.load(p, thread.channel));
  moments.store(parts, 2, 0, grid, thread);
}

template <class T, int N>
__global__ void __launch_bounds__(ChannelGrid::threads, 2)
    tail_moments_kernel(double* parts, const T* shortcut, Parts<T, N> branch, ChannelGrid grid) {
  const ChannelThread thread(grid);
  shortcut += thread.channel;
  Moments8 s(load8(shortcut + thread.any * grid.pitch())), b(branch.load(thread.any, thread.channel));
  IPA_UNROLL(2)
  for (std::int64_t p = thread.first; p < grid.pixels; p += thread.stride) {
    const Numbers8 u = load8(shortcut + p * grid.pitch()), v = branch.load(p, thread.channel);
    s.add(u);
    b.add(v);
  }
  s.store(parts, 4, 0, grid, thread);
  b.store(parts, 4, 2, grid, thread);
}

// r, for tail_out_kernel, and the sums of its statistics; the running statistics of the inner norms.
template <class T, class F, int N>
__global__ void __launch_bounds__(ChannelGrid::threads, 2)
    tail_inner_kernel(double* parts, T* r, std::int64_t r_pitch, const T* shortcut, Parts<T, N> branch,
                      NormVectors of_shortcut, NormVectors of_branch, FinishInnerStatistics statistics,
                      ChannelGrid grid, F f) {
  if (blockIdx.x == 0 && blockIdx.y == 0) {
    statistics.shortcut.move();
    __syncthreads();  // both use the same shared memory
    statistics.branch.move();
  }
  const ChannelThread thread(grid);
  const Inside8<T, F> inside(of_shortcut, of_branch, f, thread.channel);
  auto value = [&](std::int64_t pixel) {
    Numbers8 u = load8(shortcut + pixel * grid.pitch() + thread.channel);
    const Numbers8 v = branch.load(pixel, thread.channel);
    for (int i = 0; i < 8; ++i) u.v[i] = inside(u.v[i], v.v[i], i);
    return u;
  };
  const std::int64_t last = grid.pixels - 1;
  Moments8 moments(value(last - thread.any));
  for (std::int64_t q = thread.first; q < grid.pixels; q += thread.stride) {
    const Numbers8 x = value(last - q);
    store8(r + (last - q) * r_pitch + thread.channel, x);
    moments.add(x);
  }
  moments.store(parts, 2, 0, grid, thread);
}

// y of one pixel, and what it makes of the window's maximum so far.
template <class W>
__device__ __forceinline__ void keep_maximum(Numbers8& most, const Numbers8& y, int k) {
  if constexpr (W::count > 1)
    for (int i = 0; i < 8; ++i) most.v[i] = k == 0 || takes_maximum(y.v[i], most.v[i]) ? y.v[i] : most.v[i];
}

// y of r in its place, where wanted pooled too; the running statistics of the outer norm.
template <class T, class W>
__global__ void __launch_bounds__(ChannelGrid::threads)
    tail_out_kernel(T* y, std::int64_t y_pitch, T* pooled, NormVectors vectors, ChannelStatistics statistics,
                    ChannelGrid grid, W pixels) {
  if (blockIdx.x == 0 && blockIdx.y == 0) statistics.move();
  const ChannelThread thread(grid);
  const Norm8 norm(vectors, thread.channel);
  for (std::int64_t item = thread.first; item < grid.pixels; item += thread.stride) {
    const std::int64_t first = pixels.first(item);
    Numbers8 most{};
    for (int k = 0; k < W::count; ++k) {
      const std::int64_t at = pixels.at(first, k) * y_pitch + thread.channel;
      Numbers8 x = load8(y + at);
      for (int i = 0; i < 8; ++i) x.v[i] = norm(x.v[i], i);
      store8(y + at, x);
      keep_maximum<W>(most, x, k);
    }
    if constexpr (W::count > 1) store8(pooled + item * grid.pitch() + thread.channel, most);
  }
}

// y from statistics that are known.
template <class T, class F, int N>
__global__ void __launch_bounds__(ChannelGrid::threads)
    tail_recompute_kernel(T* y, const T* shortcut, Parts<T, N> branch, NormVectors of_shortcut, NormVectors of_branch,
                          NormVectors of_out, ChannelGrid grid, F f) {
  const ChannelThread thread(grid);
  const Inside8<T, F> inside(of_shortcut, of_branch, f, thread.channel);
  const Norm8 norm(of_out, thread.channel);
  for (std::int64_t p = thread.first; p < grid.pixels; p += thread.stride) {
    const std::int64_t at = p * grid.pitch() + thread.channel;
    Numbers8 x = load8(shortcut + at);
    const Numbers8 b = branch.load(p, thread.channel);
    for (int i = 0; i < 8; ++i) x.v[i] = norm(inside(x.v[i], b.v[i], i), i);
    store8(y + at, x);
  }
}

// y = scale_out relu(shortcut + scale_branch f(branch)) + shift_out, where wanted pooled too
template <class T, class F, int N, class W>
__global__ void __launch_bounds__(ChannelGrid::threads)
    tail_folded_kernel(T* y, std::int64_t y_pitch, T* pooled, const T* shortcut, Parts<T, N> branch,
                       const float* scale_branch, const float* scale_out, const float* shift_out, ChannelGrid grid,
                       W pixels, F f) {
  const ChannelThread thread(grid);
  const std::int64_t channel = thread.channel;
  const Numbers8 scale = load8(scale_out + channel), shift = load8(shift_out + channel);
  Numbers8 of_branch;
  for (int i = 0; i < 8; ++i) of_branch.v[i] = 1;
  if (scale_branch != nullptr) of_branch = load8(scale_branch + channel);
  for (std::int64_t item = thread.first; item < grid.pixels; item += thread.stride) {
    const std::int64_t first = pixels.first(item);
    Numbers8 most{};
    for (int k = 0; k < W::count; ++k) {
      const std::int64_t pixel = pixels.at(first, k);
      Numbers8 x = load8(shortcut + pixel * grid.pitch() + channel);
      const Numbers8 b = branch.load(pixel, channel);
      for (int i = 0; i < 8; ++i)
        x.v[i] = scale.v[i] * Relu{}.value(x.v[i] + of_branch.v[i] * f.value(b.v[i])) + shift.v[i];
      store8(y + pixel * y_pitch + channel, x);
      keep_maximum<W>(most, x, k);
    }
    if constexpr (W::count > 1) store8(pooled + item * grid.pitch() + channel, most);
  }
}

}  // namespace ipa
