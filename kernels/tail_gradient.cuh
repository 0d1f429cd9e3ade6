// Device code of tail.h's gradient. A thread owns eight channels, as in tail.cuh; r is made anew in each pass. What is
// too much for 128 registers is read anew where it is needed (gpu.h, reread).
#pragma once

#include "kernels/tail.cuh"

namespace ipa {

// The gradient of y: dy, and of the pooled output to the pixels that were the maximum.
template <class T>
struct TailGradientSource {
  const T *dy, *dpooled;
  std::int64_t dy_pitch;
  std::uint16_t* winners;  // (items, groups), two bits for each channel

  template <class W>
  struct Item {
    const T* pooled;
    std::uint32_t winners = 0;

    __device__ Numbers8 gradient(const T* dy, int k) const {
      Numbers8 d = load8(dy);
      if constexpr (W::count > 1) {
        const Numbers8 p = load8(reread(pooled));
        for (int i = 0; i < 8; ++i) d.v[i] += (winners >> 2 * i & 3) == static_cast<std::uint32_t>(k) ? p.v[i] : 0;
      }
      return d;
    }
  };
  static __device__ std::int64_t group(const ChannelGrid& grid, std::int64_t item, std::int64_t channel) {
    return item * grid.groups + channel / 8;
  }
  template <class W>
  __device__ Item<W> load(const ChannelGrid& grid, std::int64_t item, std::int64_t channel) const {
    if constexpr (W::count == 1) return {};
    return {dpooled + item * grid.pitch() + channel, winners[group(grid, item, channel)]};
  }
};

// What the passes back read.
template <class T, class F, int N, class W>
struct TailOperands {
  TailGradientSource<T> source;
  const T* shortcut;
  Parts<T, N> branch;
  NormVectors of_shortcut, of_branch;
  const float* out;  // coefficients of bn_out's gradient, which the first pass makes
  W pixels;
  F f;

  // Channel `channel` of a pixel of dy, which only a branch of one part has registers to find at another pitch.
  __device__ const T* dy(const ChannelGrid& grid, std::int64_t pixel, std::int64_t channel) const {
    return source.dy + pixel * (N == 1 ? source.dy_pitch : grid.pitch()) + channel;
  }
  __device__ Inside8<T, F> inside(std::int64_t channel) const { return {of_shortcut, of_branch, f, channel}; }
};

// The sums of bn_out's gradient; the winners of the windows.
template <class T, class F, int N, class W>
__global__ void __launch_bounds__(ChannelGrid::threads, sizeof(T) == 2 ? 2 : 1)
    tail_out_sums_kernel(double* parts, TailOperands<T, F, N, W> of, NormVectors of_out, ChannelGrid grid) {
  const ChannelThread thread(grid);
  const Numbers8 mean = load8(of_out.mean + thread.channel);
  const Inside8<T, F> inside = of.inside(thread.channel);
  Numbers8 sum{}, product{};
  auto add = [&](const Numbers8& d, const Numbers8& r) {
    for (int i = 0; i < 8; ++i) {
      sum.v[i] += d.v[i];
      product.v[i] += d.v[i] * (r.v[i] - mean.v[i]);
    }
  };
  for (std::int64_t item = thread.first; item < grid.pixels; item += thread.stride) {
    const std::int64_t first = of.pixels.first(item);
    Numbers8 most{}, r_of_most{};
    std::uint32_t winners = 0;
    for (int k = 0; k < W::count; ++k) {
      const std::int64_t pixel = of.pixels.at(first, k), at = pixel * grid.pitch() + thread.channel;
      Numbers8 r = load8(of.shortcut + at);
      const Numbers8 b = of.branch.load(pixel, thread.channel);
      for (int i = 0; i < 8; ++i) r.v[i] = inside(r.v[i], b.v[i], i);
      add(load8(of.dy(grid, pixel, thread.channel)), r);
      if constexpr (W::count > 1) {
        const Norm8 norm(of_out.reread(), thread.channel);
        for (int i = 0; i < 8; ++i) {
          const float y = stored_as(of.shortcut, norm(r.v[i], i));
          const bool wins = k == 0 || takes_maximum(y, most.v[i]);
          most.v[i] = wins ? y : most.v[i];
          r_of_most.v[i] = wins ? r.v[i] : r_of_most.v[i];
          winners = wins ? (winners & ~(3u << 2 * i)) | static_cast<std::uint32_t>(k) << 2 * i : winners;
        }
      }
    }
    if constexpr (W::count > 1) {
      of.source.winners[of.source.group(grid, item, thread.channel)] = static_cast<std::uint16_t>(winners);
      add(load8(of.source.dpooled + item * grid.pitch() + thread.channel), r_of_most);
    }
  }
  store_sums(parts, 2, 0, grid, thread, sum.v);
  store_sums(parts, 2, 1, grid, thread, product.v);
}

// Makes dgamma and dbeta of the sums of dy and of dy (x - mean), and the norm's gradient in three coefficients:
// dx = scale (dy + slope x + offset).
struct FinishTailGradient {
  FinishNormGradient parameters;
  NormVectors norm;
  float* coefficients;  // (3, pitch): slope, offset, scale
  std::int64_t pitch;
  double pixels;

  __device__ void operator()(std::int64_t c, const double* sums) const {
    parameters(c, sums);
    const double invstd = norm.invstd[c], slope = -sums[1] * invstd * invstd / pixels;
    coefficients[c] = static_cast<float>(slope);
    coefficients[pitch + c] = static_cast<float>(-sums[0] / pixels - slope * norm.mean[c]);
    coefficients[2 * pitch + c] = norm.gamma == nullptr ? norm.invstd[c] : norm.gamma[c] * norm.invstd[c];
  }
};
// dx / scale.
struct UnscaledGradient8 {
  Numbers8 slope, offset;

  __device__ UnscaledGradient8(const float* coefficients, std::int64_t pitch, std::int64_t channel)
      : slope(load8(coefficients + channel)), offset(load8(coefficients + pitch + channel)) {}
  __device__ float operator()(float dy, float x, int i) const { return dy + (slope.v[i] * x + offset.v[i]); }
  // Of bn_out, through relu too: the gradient of the sum of both branches, from r.
  __device__ float through_relu(float dy, float r, int i) const { return (*this)(dy, r, i) * Relu{}.slope_at(r); }
};
struct TailGradient8 {
  UnscaledGradient8 unscaled;
  Numbers8 scale;

  __device__ TailGradient8(const float* coefficients, std::int64_t pitch, std::int64_t channel)
      : unscaled(coefficients, pitch, channel), scale(load8(coefficients + 2 * pitch + channel)) {}
  __device__ float operator()(float dy, float x, int i) const { return scale.v[i] * unscaled(dy, x, i); }
  __device__ float through_relu(float dy, float r, int i) const { return scale.v[i] * unscaled.through_relu(dy, r, i); }
};

// Sums of dz, dz (shortcut - mean), db (branch - mean) and, where `inner` makes db another than dz, of db; all without
// bn_out's scale, for which the pass has no registers.
template <class F>
constexpr int tail_inner_sums = std::is_same_v<F, Identity> ? 3 : 4;
template <class F>
struct FinishInnerGradients {
  FinishTailGradient shortcut, branch;
  const float* out_scale;
  __device__ void operator()(std::int64_t c, const double* sums) const {
    const double scale = out_scale[c], of_shortcut[2] = {scale * sums[0], scale * sums[1]},
                 of_branch[2] = {scale * sums[tail_inner_sums<F> == 3 ? 0 : 3], scale * sums[2]};
    shortcut(c, of_shortcut);
    branch(c, of_branch);
  }
};

template <class T, class F, int N, class W>
__global__ void __launch_bounds__(ChannelGrid::threads, sizeof(T) == 2 ? 2 : 1)
    tail_inner_sums_kernel(double* parts, TailOperands<T, F, N, W> of, ChannelGrid grid) {
  constexpr int quantities = tail_inner_sums<F>;
  const ChannelThread thread(grid);
  const std::int64_t channel = thread.channel;
  const UnscaledGradient8 out(of.out, grid.pitch(), channel);
  const Inside8<T, F> inside = of.inside(channel);
  const Numbers8 mean_s = load8(of.of_shortcut.mean + channel);
  Numbers8 sums[quantities] = {};
  for (std::int64_t q = thread.first; q < grid.pixels; q += thread.stride) {
    const std::int64_t item = grid.pixels - 1 - q, first = of.pixels.first(item);
    const auto from = of.source.template load<W>(grid, item, channel);
    for (int k = 0; k < W::count; ++k) {
      const std::int64_t pixel = of.pixels.at(first, k), at = pixel * grid.pitch() + channel;
      const Numbers8 s = load8(of.shortcut + at), b = of.branch.load(pixel, channel),
                     d = from.gradient(of.dy(grid, pixel, channel), k),
                     mean_b = load8(reread(of.of_branch.mean) + channel);
      for (int i = 0; i < 8; ++i) {
        const float dz = out.through_relu(d.v[i], inside(s.v[i], b.v[i], i), i),
                    db = dz * inside.inner_slope(b.v[i], i);
        sums[0].v[i] += dz;
        sums[1].v[i] += dz * (s.v[i] - mean_s.v[i]);
        sums[2].v[i] += db * (b.v[i] - mean_b.v[i]);
        if constexpr (quantities == 4) sums[3].v[i] += db;
      }
    }
  }
  for (int k = 0; k < quantities; ++k) store_sums(parts, quantities, k, grid, thread, sums[k].v);
}

// Writes pixels that stand as the whole in `from`, shared memory, to the parts: pixel k of `count` items from `item`.
template <class T, int N, class W>
__device__ __forceinline__ void store_parts(const Parts<T, N>& parts, const T* from, const ChannelGrid& grid,
                                            const W& pixels, std::int64_t item, int count, int k) {
  const int pitch = static_cast<int>(grid.pitch());
  for (int n = 0; n < N; ++n) {
    const int groups = parts.pitch[n] / 8;
    for (int t = static_cast<int>(threadIdx.x); t < count * groups; t += ChannelGrid::threads) {
      const int row = t / groups, channel = t % groups * 8;
      Numbers8 x = to_numbers(load_raw8(from + row * pitch, pitch, parts.offset[n] + channel));
      zero_padding(x, parts.channels[n] - channel);
      store8(parts.data[n] + pixels.at(pixels.first(item + row), k) * parts.pitch[n] + channel, x);
    }
  }
}

template <class T>
std::size_t tail_gradient_shared_bytes(const ChannelGrid& grid) {
  return 2 * static_cast<std::size_t>(grid.rows * grid.pitch()) * sizeof(T);
}

template <class T, class F, int N, class W>
__global__ void __launch_bounds__(ChannelGrid::threads, sizeof(T) == 2 ? 2 : 1)
    tail_gradient_kernel(T* dshortcut, Parts<T, N> dbranch, TailOperands<T, F, N, W> of, const float* of_shortcut,
                         const float* of_branch, ChannelGrid grid) {
  const ChannelThread thread(grid);
  const std::int64_t channel = thread.channel;
  const TailGradient8 out(of.out, grid.pitch(), channel), shortcut(of_shortcut, grid.pitch(), channel),
      branch(of_branch, grid.pitch(), channel);
  Inside8<T, F> inside = of.inside(channel);
  inside.shortcut.scale = shortcut.scale;  // the same, but the compiler cannot know
  inside.branch.scale = branch.scale;
  int turn = 0;  // the two halves of shared memory are filled in turns: one barrier for each
  for (std::int64_t item = static_cast<std::int64_t>(blockIdx.x) * grid.rows; item < grid.pixels;
       item += thread.stride) {
    const std::int64_t rest = grid.pixels - item;
    const int count = rest < grid.rows ? static_cast<int>(rest) : grid.rows;
    const bool works = thread.works && thread.row < count;
    const std::int64_t own = works ? item + thread.row : item, first = of.pixels.first(own);
    const auto from = of.source.template load<W>(grid, own, channel);
    for (int k = 0; k < W::count; ++k) {
      T* whole = shared_memory<T>() + turn * grid.rows * grid.pitch();
      if (works) {
        const std::int64_t pixel = of.pixels.at(first, k), at = pixel * grid.pitch() + channel;
        Numbers8 s = load8(of.shortcut + at), b = of.branch.load(pixel, channel),
                 d = from.gradient(of.dy(grid, pixel, channel), k);
        for (int i = 0; i < 8; ++i) {
          const float dz = out.through_relu(d.v[i], inside(s.v[i], b.v[i], i), i),
                      db = dz * inside.inner_slope(b.v[i], i);
          s.v[i] = shortcut(dz, s.v[i], i);
          b.v[i] = branch(db, b.v[i], i);
        }
        store8(dshortcut + at, s);
        store8(N == 1 ? dbranch.data[0] + at : whole + thread.row * grid.pitch() + channel, b);
      }
      if constexpr (N > 1) {
        __syncthreads();
        store_parts(dbranch, whole, grid, of.pixels, item, count, k);
        turn ^= 1;
      }
    }
  }
}

}  // namespace ipa
