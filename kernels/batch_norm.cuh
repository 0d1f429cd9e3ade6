// Device code of batch_norm.h. A thread keeps the coefficients of eight channels in registers and walks over pixels.
#pragma once

#include "kernels/channel_stats.cuh"

namespace ipa {

// Statistics of sums that are known, (2, pitch). One block, of which a thread moves the channels that it finished.
__global__ void __launch_bounds__(ChannelGrid::threads)
    known_sums_kernel(const float* sums, std::int64_t pitch, ChannelStatistics statistics) {
  for (std::int64_t c = threadIdx.x; c < pitch; c += blockDim.x) {
    const double of[2] = {static_cast<double>(sums[c]), static_cast<double>(sums[pitch + c])};
    statistics.finish(c, of);
  }
  statistics.move();
}

// y = a(norm(x)), the pixels from the end.
template <class T, class G>
__device__ __forceinline__ void normalise(T* y, const T* x, const NormVectors& vectors, G g, const ChannelGrid& grid) {
  const ChannelThread thread(grid);
  const Norm8 norm(vectors, thread.channel);
  for (std::int64_t q = thread.first; q < grid.pixels; q += thread.stride) {
    const std::int64_t at = (grid.pixels - 1 - q) * grid.pitch() + thread.channel;
    Numbers8 v = load8(x + at);
    for (int i = 0; i < 8; ++i) v.v[i] = g.value(norm(v.v[i], i));
    zero_padding(v, grid.channels - thread.channel);
    store8(y + at, v);
  }
}

// The end of the forward pass: it moves the running statistics too.
template <class T, class G>
__global__ void __launch_bounds__(ChannelGrid::threads)
    normalise_kernel(T* y, const T* x, NormVectors vectors, ChannelStatistics statistics, G g, ChannelGrid grid) {
  if (blockIdx.x == 0 && blockIdx.y == 0) statistics.move();
  normalise(y, x, vectors, g, grid);
}

template <class T, class G>
__global__ void __launch_bounds__(ChannelGrid::threads)
    recompute_kernel(T* y, const T* x, NormVectors vectors, G g, ChannelGrid grid) {
  normalise(y, x, vectors, g, grid);
}

struct GradientAndInput {
  Numbers8 dy, x;
};

// The sums of d and of d (x - mean), where d is what reaches the normalisation through the activation.
template <class T, class G>
__global__ void __launch_bounds__(ChannelGrid::threads, 2)
    norm_gradient_sums_kernel(double* parts, const T* dy, const T* x, NormVectors vectors, G g, ChannelGrid grid) {
  const ChannelThread thread(grid);
  const Norm8 norm(vectors, thread.channel);
  Numbers8 sum{}, product{};
  thread.for_pixels<8 / sizeof(T)>(
      grid,
      [&](std::int64_t p) {
        const std::int64_t at = p * grid.pitch() + thread.channel;
        return GradientAndInput{load8(dy + at), load8(x + at)};
      },
      [&](std::int64_t, const GradientAndInput& u) {
        for (int i = 0; i < 8; ++i) {
          const float d = u.dy.v[i] * g.slope_at(g.value(norm(u.x.v[i], i)));
          sum.v[i] += d;
          product.v[i] += d * (u.x.v[i] - norm.mean.v[i]);
        }
      });
  store_sums(parts, 2, 0, grid, thread, sum.v);
  store_sums(parts, 2, 1, grid, thread, product.v);
}

template <class T, class G>
__global__ void __launch_bounds__(ChannelGrid::threads)
    norm_gradient_kernel(T* dx, const T* dy, const T* x, NormVectors vectors, FinishNormGradient sums, G g,
                         ChannelGrid grid) {
  const ChannelThread thread(grid);
  const Norm8 norm(vectors, thread.channel);
  const NormGradient8 gradient(sums, grid.pixels, thread.channel);
  for (std::int64_t q = thread.first; q < grid.pixels; q += thread.stride) {
    const std::int64_t at = (grid.pixels - 1 - q) * grid.pitch() + thread.channel;
    Numbers8 u = load8(dy + at);
    const Numbers8 v = load8(x + at);
    for (int i = 0; i < 8; ++i) u.v[i] = gradient(u.v[i] * g.slope_at(g.value(norm(v.v[i], i))), v.v[i], norm, i);
    zero_padding(u, grid.channels - thread.channel);
    store8(dx + at, u);
  }
}

// y = a(scale[c] x + shift[c])
template <class T, class G>
__global__ void __launch_bounds__(ChannelGrid::threads)
    affine_kernel(T* y, const T* x, const float* scale, const float* shift, G g, ChannelGrid grid) {
  const ChannelThread thread(grid);
  const Numbers8 k = load8(scale + thread.channel), b = load8(shift + thread.channel);
  for (std::int64_t p = thread.first; p < grid.pixels; p += thread.stride) {
    const std::int64_t at = p * grid.pitch() + thread.channel;
    Numbers8 v = load8(x + at);
    for (int i = 0; i < 8; ++i) v.v[i] = g.value(v.v[i] * k.v[i] + b.v[i]);
    zero_padding(v, grid.channels - thread.channel);
    store8(y + at, v);
  }
}

}  // namespace ipa
