// Device code of conv_direct.h. One thread an output element but for the weight gradient, where a warp's lanes take 32
// input channels and the warps of a block share the pixels.
#pragma once

#include <cmath>

#include "kernels/conv_direct.h"
#include "kernels/gpu.h"
#include "kernels/math.h"

namespace ipa::cuda {

__device__ __forceinline__ float load(const float* p) { return *p; }
__device__ __forceinline__ float load(const bf16* p) { return to_float(*p); }
__device__ __forceinline__ void store(float* p, float v) { *p = v; }
__device__ __forceinline__ void store(bf16* p, float v) { *p = to_bf16(v); }

__device__ __forceinline__ std::int64_t global_thread() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

// Geometry with the padded channels, pitches in elements.
struct DirectGeometry {
  Shape x, y;
  std::int64_t kernel_h, kernel_w, x_pitch, y_pitch;
  int stride, pad, dilation;
};

template <class T>
__device__ __forceinline__ const T* pixel(const T* data, const Shape& s, std::int64_t pitch, std::int64_t n,
                                          std::int64_t i, std::int64_t j) {
  return data + ((n * s.h + i) * s.w + j) * pitch;
}

// The input as the convolution sees it: relu(x scale + shift) rounded as a stored activation would be, if there is a
// scale.
template <class T>
__device__ __forceinline__ float seen(const T* x, std::int64_t c, const float* scale, const float* shift) {
  if (!scale) return load(x + c);
  T rounded;
  store(&rounded, Relu{}.value(load(x + c) * scale[c] + shift[c]));
  return load(&rounded);
}

// y (N,Ho,Wo,Co) packed f32 from x, w (Co,kh,kw,Ci), then a(y + bias).
template <class T, class A>
__global__ void forward_direct(float* y, const T* x, const T* w, const float* scale, const float* shift,
                               const float* bias, DirectGeometry g, A activation) {
  const std::int64_t index = global_thread();
  if (index >= g.y.elements()) return;
  const std::int64_t o = index % g.y.c, j = index / g.y.c % g.y.w, i = index / g.y.c / g.y.w % g.y.h,
                     n = index / g.y.c / g.y.w / g.y.h;
  double sum = 0;
  for (std::int64_t r = 0; r < g.kernel_h; ++r)
    for (std::int64_t s = 0; s < g.kernel_w; ++s) {
      const std::int64_t yi = i * g.stride - g.pad + r * g.dilation, xj = j * g.stride - g.pad + s * g.dilation;
      if (yi < 0 || yi >= g.x.h || xj < 0 || xj >= g.x.w) continue;
      const T* from = pixel(x, g.x, g.x_pitch, n, yi, xj);
      const T* filter = w + ((o * g.kernel_h + r) * g.kernel_w + s) * g.x.c;
      for (std::int64_t c = 0; c < g.x.c; ++c)
        sum += static_cast<double>(seen(from, c, scale, shift)) * static_cast<double>(load(filter + c));
    }
  y[index] = activation.value(static_cast<float>(sum) + (bias ? bias[o] : 0.0f));
}

// dx (N,H,W,Ci) packed f32 from dy, w (Co,kh,kw,Ci); then dx += added, then 0 where relu is not positive.
template <class T>
__global__ void dgrad_direct(float* dx, const T* dy, const T* w, const T* added, const T* relu, DirectGeometry g) {
  const std::int64_t index = global_thread();
  if (index >= g.x.elements()) return;
  const std::int64_t c = index % g.x.c, j = index / g.x.c % g.x.w, i = index / g.x.c / g.x.w % g.x.h,
                     n = index / g.x.c / g.x.w / g.x.h;
  double sum = 0;
  for (std::int64_t r = 0; r < g.kernel_h; ++r)
    for (std::int64_t s = 0; s < g.kernel_w; ++s) {
      const std::int64_t up = i + g.pad - r * g.dilation, across = j + g.pad - s * g.dilation;
      if (up < 0 || across < 0 || up % g.stride != 0 || across % g.stride != 0) continue;
      if (up / g.stride >= g.y.h || across / g.stride >= g.y.w) continue;
      const T* from = pixel(dy, g.y, g.y_pitch, n, up / g.stride, across / g.stride);
      const T* filter = w + (r * g.kernel_w + s) * g.x.c + c;
      for (std::int64_t o = 0; o < g.y.c; ++o)
        sum += static_cast<double>(load(from + o)) *
               static_cast<double>(load(filter + o * g.kernel_h * g.kernel_w * g.x.c));
    }
  float value = static_cast<float>(sum);
  if (added) value += load(pixel(added, g.x, g.x_pitch, n, i, j) + c);
  if (relu && !(load(pixel(relu, g.x, g.x_pitch, n, i, j) + c) > 0.0f)) value = 0.0f;
  dx[index] = value;
}

// dw (Co,kh,kw,Ci) packed f32. Grid (ceil(Ci / 32), kh kw, Co); blocks of whole warps; shared: a double a thread.
template <class T>
__global__ void wgrad_direct(float* dw, const T* x, const T* dy, DirectGeometry g) {
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * 32 + lane, tap = blockIdx.y, o = blockIdx.z;
  const std::int64_t r = tap / g.kernel_w, s = tap % g.kernel_w;
  double sum = 0;
  if (c < g.x.c)
    for (std::int64_t p = warp; p < g.y.pixels(); p += warps) {
      const std::int64_t j = p % g.y.w, i = p / g.y.w % g.y.h, n = p / g.y.w / g.y.h;
      const std::int64_t yi = i * g.stride - g.pad + r * g.dilation, xj = j * g.stride - g.pad + s * g.dilation;
      if (yi < 0 || yi >= g.x.h || xj < 0 || xj >= g.x.w) continue;
      sum += static_cast<double>(load(pixel(x, g.x, g.x_pitch, n, yi, xj) + c)) *
             static_cast<double>(load(dy + p * g.y_pitch + o));
    }
  double* part = shared_memory<double>();
  part[threadIdx.x] = sum;
  __syncthreads();
  if (warp == 0 && c < g.x.c) {
    for (unsigned k = 1; k < warps; ++k) sum += part[k * 32 + lane];
    dw[(o * g.kernel_h * g.kernel_w + tap) * g.x.c + c] = static_cast<float>(sum);
  }
}

// sums (2, C): over the pixels of y (pixels, C), and of its squares. A block a channel; shared: two doubles a thread.
__global__ void statistics_direct(float* sums, const float* y, std::int64_t pixels, std::int64_t channels) {
  double sum = 0, squares = 0;
  for (std::int64_t p = threadIdx.x; p < pixels; p += blockDim.x) {
    const double v = static_cast<double>(y[p * channels + blockIdx.x]);
    sum += v, squares += v * v;
  }
  double* part = shared_memory<double>();
  part[2 * threadIdx.x] = sum, part[2 * threadIdx.x + 1] = squares;
  __syncthreads();
  if (threadIdx.x < 2) {
    double total = 0;
    for (unsigned k = 0; k < blockDim.x; ++k) total += part[2 * k + threadIdx.x];
    sums[threadIdx.x * channels + blockIdx.x] = static_cast<float>(total);
  }
}

template <class T>
__global__ void flip_kernel(T* wt, const T* w, Shape s) {  // s: of w
  const std::int64_t index = global_thread();
  if (index >= s.elements()) return;
  const std::int64_t c = index % s.c, tap = index / s.c % (s.h * s.w), o = index / s.c / (s.h * s.w);
  wt[(c * s.h * s.w + (s.h * s.w - 1 - tap)) * s.n + o] = w[index];
}

// The finalizer of MurmurHash3 (Appleby): every bit of the input reaches every bit of the result.
IPA_HD std::uint32_t mix(std::uint32_t h) {
  h = (h ^ h >> 16) * 0x85ebca6bu;
  h = (h ^ h >> 13) * 0xc2b2ae35u;
  return h ^ h >> 16;
}

template <class T>
__global__ void random_kernel(T* data, std::int64_t count, float amplitude, std::uint32_t seed) {
  const std::int64_t i = global_thread();
  if (i >= count) return;
  const std::uint32_t bits = mix(static_cast<std::uint32_t>(i) ^ mix(seed)) >> 8;
  store(data + i, (static_cast<float>(bits) * 0x1p-23f - 1) * amplitude);
}

template <class T>
__global__ void value_kernel(T* data, std::int64_t count, float value) {
  const std::int64_t i = global_thread();
  if (i < count) store(data + i, value);
}

__device__ __forceinline__ std::uint32_t bits_of(bf16 v) { return v.bits; }
__device__ __forceinline__ std::uint32_t bits_of(float v) {
  std::uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  return bits;
}

__device__ __forceinline__ void include(Difference& all, const Difference& one) {
  all.squared += one.squared, all.reference_squared += one.reference_squared;
  if (!(one.largest <= all.largest) && all.largest == all.largest) all.largest = one.largest;  // a NaN wins
  all.bits += one.bits, all.numbers += one.numbers;
}

// One block; shared: a Difference a thread.
template <class T>
__global__ void compare_kernel(Difference* result, const T* values, const float* reference, std::int64_t pixels,
                               std::int64_t channels, std::int64_t pitch, std::int64_t nan_channels) {
  Difference mine;
  for (std::int64_t i = threadIdx.x; i < pixels * channels; i += blockDim.x) {
    const T* at = values + i / channels * pitch + i % channels;
    const double value = static_cast<double>(load(at)), wanted = static_cast<double>(reference[i]);
    const double off = value - wanted;
    const std::uint32_t key = mix(static_cast<std::uint32_t>(i)) ^ bits_of(*at);
    include(mine,
            {off * off, wanted * wanted, off < 0 ? -off : off,
             static_cast<std::uint64_t>(mix(key)) << 32 | mix(key + 1), i % channels < nan_channels && value == value});
  }
  Difference* part = shared_memory<Difference>();
  part[threadIdx.x] = mine;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (unsigned k = 1; k < blockDim.x; ++k) include(mine, part[k]);
    *result = mine;
  }
}

}  // namespace ipa::cuda
