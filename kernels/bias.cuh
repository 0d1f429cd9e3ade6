// Device code of bias.h.
#pragma once

#include "kernels/channel_sums.cuh"

namespace ipa {

template <class T>
__global__ void __launch_bounds__(ChannelGrid::threads)
    add_bias_kernel(T* y, std::int64_t y_pitch, const T* x, std::int64_t x_pitch, const float* bias, ChannelGrid grid) {
  const ChannelThread thread(grid);
  const Numbers8 b = load8(bias + thread.channel);  // padding is 0, as x's is
  for (std::int64_t p = thread.first; p < grid.pixels; p += thread.stride) {
    Numbers8 v = load8(x + p * x_pitch + thread.channel);
    for (int i = 0; i < 8; ++i) v.v[i] += b.v[i];
    store8(y + p * y_pitch + thread.channel, v);
  }
}

template <class T>
__global__ void __launch_bounds__(ChannelGrid::threads, 2)
    pixel_sums_kernel(double* parts, const T* x, std::int64_t pitch, ChannelGrid grid) {
  const ChannelThread thread(grid);
  Numbers8 sum{};
  thread.for_pixels<16 / sizeof(T)>(
      grid, [&](std::int64_t p) { return load8(x + p * pitch + thread.channel); },
      [&](std::int64_t, const Numbers8& v) {
        for (int i = 0; i < 8; ++i) sum.v[i] += v.v[i];
      });
  store_sums(parts, 1, 0, grid, thread, sum.v);
}

struct FinishSum {
  float* sum;
  __device__ void operator()(std::int64_t c, const double* sums) const { sum[c] = static_cast<float>(sums[0]); }
};

}  // namespace ipa
