// Device code of tail.h. A thread owns eight channels and walks over pixels, or over the windows of the pooling, whose
// four pixels it takes one after the other: then nothing of a neighbour is needed but the branch's shifted groups
// (side_by_side.cuh), and everything may be written in place. The padding of y, r and the gradients comes out as 0
// because that of every operand, coefficient and statistic is.
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

struct FinishInnerStatistics {
  ChannelStatistics shortcut, branch;
  __device__ void operator()(std::int64_t c, const double* sums) const {
    shortcut.finish(c, sums);
    branch.finish(c, sums + 2);
  }
};

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

// r and the sums of its statistics; the running statistics of the inner norms.
template <class T, class F, int N>
__global__ void __launch_bounds__(ChannelGrid::threads, 2)
    tail_inner_kernel(double* parts, T* r, const T* shortcut, Parts<T, N> branch, NormVectors of_shortcut,
                      NormVectors of_branch, FinishInnerStatistics statistics, ChannelGrid grid, F f) {
  if (blockIdx.x == 0 && blockIdx.y == 0) {
    statistics.shortcut.move();
    __syncthreads();  // both use the same shared memory
    statistics.branch.move();
  }
  const ChannelThread thread(grid);
  const Linear8 s(of_shortcut, thread.channel), b(of_branch, thread.channel);
  auto value = [&](std::int64_t pixel) {
    Numbers8 u = load8(shortcut + pixel * grid.pitch() + thread.channel);
    const Numbers8 v = branch.load(pixel, thread.channel);
    for (int i = 0; i < 8; ++i) u.v[i] = stored_as(r, Relu{}.value(s(u.v[i], i) + f.value(b(v.v[i], i))));
    return u;
  };
  const std::int64_t last = grid.pixels - 1;
  Moments8 moments(value(last - thread.any));
  for (std::int64_t q = thread.first; q < grid.pixels; q += thread.stride) {
    const Numbers8 x = value(last - q);
    store8(r + (last - q) * grid.pitch() + thread.channel, x);
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

// y, where wanted pooled too; the running statistics of the outer norm.
template <class T, class W>
__global__ void __launch_bounds__(ChannelGrid::threads)
    tail_out_kernel(T* y, T* pooled, const T* r, NormVectors vectors, ChannelStatistics statistics, ChannelGrid grid,
                    W pixels) {
  if (blockIdx.x == 0 && blockIdx.y == 0) statistics.move();
  const ChannelThread thread(grid);
  const Norm8 norm(vectors, thread.channel);
  for (std::int64_t item = thread.first; item < grid.pixels; item += thread.stride) {
    const std::int64_t first = pixels.first(item);
    Numbers8 most{};
    for (int k = 0; k < W::count; ++k) {
      const std::int64_t at = pixels.at(first, k) * grid.pitch() + thread.channel;
      Numbers8 x = load8(r + at);
      for (int i = 0; i < 8; ++i) x.v[i] = norm(x.v[i], i);
      store8(y + at, x);
      keep_maximum<W>(most, x, k);
    }
    if constexpr (W::count > 1) store8(pooled + item * grid.pitch() + thread.channel, most);
  }
}

// The gradient of y: dy, and of the pooled output to the pixels that were the maximum.
template <class T>
struct TailGradientSource {
  const T *dy, *dpooled;
  std::uint16_t* winners;  // (items, groups), two bits for each channel

  template <class W>
  struct Item {
    Numbers8 pooled;
    std::uint32_t winners = 0;

    __device__ Numbers8 gradient(const T* dy, int k) const {
      Numbers8 d = load8(dy);
      if constexpr (W::count > 1)
        for (int i = 0; i < 8; ++i) d.v[i] += (winners >> 2 * i & 3) == static_cast<std::uint32_t>(k) ? pooled.v[i] : 0;
      return d;
    }
  };
  static __device__ std::int64_t group(const ChannelGrid& grid, std::int64_t item, std::int64_t channel) {
    return item * grid.groups + channel / 8;
  }
  template <class W>
  __device__ Item<W> load(const ChannelGrid& grid, std::int64_t item, std::int64_t channel) const {
    if constexpr (W::count == 1) return {};
    return {load8(dpooled + item * grid.pitch() + channel), winners[group(grid, item, channel)]};
  }
};

// The sums of bn_out's gradient; the winners of the windows.
template <class T, class W>
__global__ void __launch_bounds__(ChannelGrid::threads)
    tail_out_sums_kernel(double* parts, TailGradientSource<T> source, const T* r, NormVectors vectors, ChannelGrid grid,
                         W pixels) {
  const ChannelThread thread(grid);
  const Norm8 norm(vectors, thread.channel);
  Numbers8 sum{}, product{};
  for (std::int64_t item = thread.first; item < grid.pixels; item += thread.stride) {
    const std::int64_t first = pixels.first(item);
    if constexpr (W::count > 1) {
      Numbers8 most;
      std::uint32_t winners = 0;
      for (int k = 0; k < W::count; ++k) {
        const Numbers8 x = load8(r + pixels.at(first, k) * grid.pitch() + thread.channel);
        for (int i = 0; i < 8; ++i) {
          const float y = stored_as(r, norm(x.v[i], i));
          const bool wins = k == 0 || takes_maximum(y, most.v[i]);
          most.v[i] = wins ? y : most.v[i];
          winners = wins ? (winners & ~(3u << 2 * i)) | static_cast<std::uint32_t>(k) << 2 * i : winners;
        }
      }
      source.winners[source.group(grid, item, thread.channel)] = static_cast<std::uint16_t>(winners);
    }
    const auto from = source.template load<W>(grid, item, thread.channel);
    for (int k = 0; k < W::count; ++k) {
      const std::int64_t at = pixels.at(first, k) * grid.pitch() + thread.channel;
      const Numbers8 x = load8(r + at), d = from.gradient(source.dy + at, k);
      for (int i = 0; i < 8; ++i) {
        sum.v[i] += d.v[i];
        product.v[i] += d.v[i] * (x.v[i] - norm.mean.v[i]);
      }
    }
  }
  store_sums(parts, 2, 0, grid, thread, sum.v);
  store_sums(parts, 2, 1, grid, thread, product.v);
}

// Makes dgamma and dbeta of the sums of dy and of dy (x - mean), and the norm's gradient in three coefficients, in the
// sense of Linear8: dx = scale dy + slope x + offset.
struct FinishTailGradient {
  FinishNormGradient parameters;
  NormVectors norm;
  float* coefficients;  // (3, pitch): scale, slope, offset
  std::int64_t pitch;
  double pixels;

  __device__ void operator()(std::int64_t c, const double* sums) const {
    parameters(c, sums);
    const float scale = norm.gamma == nullptr ? norm.invstd[c] : norm.gamma[c] * norm.invstd[c];
    const double invstd = norm.invstd[c], slope = -scale * sums[1] * invstd * invstd / pixels;
    coefficients[c] = scale;
    coefficients[pitch + c] = static_cast<float>(slope);
    coefficients[2 * pitch + c] = static_cast<float>(-scale * sums[0] / pixels - slope * norm.mean[c]);
  }
};
struct TailGradient8 {
  Numbers8 scale, slope, offset;

  __device__ TailGradient8(const float* coefficients, std::int64_t pitch, std::int64_t channel)
      : scale(load8(coefficients + channel)),
        slope(load8(coefficients + pitch + channel)),
        offset(load8(coefficients + 2 * pitch + channel)) {}
  __device__ float operator()(float dy, float x, int i) const {
    return scale.v[i] * dy + (slope.v[i] * x + offset.v[i]);
  }
  // Of bn_out, through relu too: the gradient of the sum of both branches, from r.
  __device__ float through_relu(float dy, float r, int i) const { return (*this)(dy, r, i) * Relu{}.slope_at(r); }
};

// Sums of dz, dz (shortcut - mean), db (branch - mean) and, where `inner` makes db another than dz, of db.
template <class F>
constexpr int tail_inner_sums = std::is_same_v<F, Identity> ? 3 : 4;
template <class F>
struct FinishInnerGradients {
  FinishTailGradient shortcut, branch;
  __device__ void operator()(std::int64_t c, const double* sums) const {
    shortcut(c, sums);
    const double of_branch[2] = {sums[tail_inner_sums<F> == 3 ? 0 : 3], sums[2]};
    branch(c, of_branch);
  }
};

// What two passes back to the inner norms read.
template <class T, class F, int N, class W>
struct TailOperands {
  TailGradientSource<T> source;
  const T *r, *shortcut;
  Parts<T, N> branch;
  const float* out;  // coefficients of bn_out's gradient
  NormVectors of_branch;
  W pixels;
  F f;
};

template <class T, class F, int N, class W>
__global__ void __launch_bounds__(ChannelGrid::threads, sizeof(T) == 2 ? 2 : 1)
    tail_inner_sums_kernel(double* parts, TailOperands<T, F, N, W> of, const float* shortcut_mean, ChannelGrid grid) {
  constexpr int quantities = tail_inner_sums<F>;
  const ChannelThread thread(grid);
  const std::int64_t channel = thread.channel;
  const TailGradient8 out(of.out, grid.pitch(), channel);
  const Linear8 norm(of.of_branch, channel);  // for the slope of ReLU; Identity leaves it out
  const Numbers8 mean_s = load8(shortcut_mean + channel), mean_b = load8(of.of_branch.mean + channel);
  Numbers8 sums[quantities] = {};
  for (std::int64_t q = thread.first; q < grid.pixels; q += thread.stride) {
    const std::int64_t item = grid.pixels - 1 - q, first = of.pixels.first(item);
    const auto from = of.source.template load<W>(grid, item, channel);
    for (int k = 0; k < W::count; ++k) {
      const std::int64_t pixel = of.pixels.at(first, k), at = pixel * grid.pitch() + channel;
      const Numbers8 r = load8(of.r + at), s = load8(of.shortcut + at), b = of.branch.load(pixel, channel),
                     d = from.gradient(of.source.dy + at, k);
      for (int i = 0; i < 8; ++i) {
        const float dz = out.through_relu(d.v[i], r.v[i], i), db = dz * of.f.slope_at(of.f.value(norm(b.v[i], i)));
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
__global__ void __launch_bounds__(ChannelGrid::threads, 2)
    tail_gradient_kernel(T* dshortcut, Parts<T, N> dbranch, TailOperands<T, F, N, W> of, const float* of_shortcut,
                         const float* of_branch, ChannelGrid grid) {
  const ChannelThread thread(grid);
  const std::int64_t channel = thread.channel;
  const TailGradient8 out(of.out, grid.pitch(), channel), shortcut(of_shortcut, grid.pitch(), channel),
      branch(of_branch, grid.pitch(), channel);
  Linear8 norm(of.of_branch, channel);
  norm.scale = branch.scale;  // the same, but the compiler cannot know
  int turn = 0;               // the two halves of shared memory are filled in turns: one barrier for each
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
        const Numbers8 r = load8(of.r + at);
        Numbers8 s = load8(of.shortcut + at), b = of.branch.load(pixel, channel),
                 d = from.gradient(of.source.dy + at, k);
        for (int i = 0; i < 8; ++i) {
          const float dz = out.through_relu(d.v[i], r.v[i], i), db = dz * of.f.slope_at(of.f.value(norm(b.v[i], i)));
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

// y = scale_out relu(shortcut + scale_branch f(branch)) + shift_out, where wanted pooled too
template <class T, class F, int N, class W>
__global__ void __launch_bounds__(ChannelGrid::threads)
    tail_folded_kernel(T* y, T* pooled, const T* shortcut, Parts<T, N> branch, const float* scale_branch,
                       const float* scale_out, const float* shift_out, ChannelGrid grid, W pixels, F f) {
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
      const std::int64_t pixel = pixels.at(first, k), at = pixel * grid.pitch() + channel;
      Numbers8 x = load8(shortcut + at);
      const Numbers8 b = branch.load(pixel, channel);
      for (int i = 0; i < 8; ++i)
        x.v[i] = scale.v[i] * Relu{}.value(x.v[i] + of_branch.v[i] * f.value(b.v[i])) + shift.v[i];
      store8(y + at, x);
      keep_maximum<W>(most, x, k);
    }
    if constexpr (W::count > 1) store8(pooled + item * grid.pitch() + channel, most);
  }
}

}  // namespace ipa
