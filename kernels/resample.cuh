// Device code of resample.h. A thread takes one group of eight channels of one pixel of the smaller tensor and the same
// channels of its 2x2 window in the larger one, grid-stride; bilinear forward one group of the larger. No shared
// memory.
#pragma once

#include "kernels/numbers8.cuh"
#include "kernels/resample.h"

namespace ipa {

// Of a pair of tensors the one of half the height and width; rows of all images stand one below the other.
struct Half {
  Groups groups;
  std::int64_t height, width, pitch;

  explicit Half(const Tensor& half) : groups(half), height(half.shape.h), width(half.shape.w), pitch(half.pitch) {}

  // Where the window of group i begins in the larger tensor; its others lie `pitch` to the right and row() below.
  __device__ std::int64_t window(std::int64_t i) const {
    const std::int64_t pixel = groups.pixel(i), x = column(pixel);
    return 2 * (pixel - x) * 2 * pitch + 2 * x * pitch + groups.channel(i);
  }
  __device__ std::int64_t row() const { return 2 * width * pitch; }
  __device__ std::int64_t column(std::int64_t pixel) const {
    return static_cast<std::uint32_t>(pixel) % static_cast<std::uint32_t>(width);
  }
};

template <class T>
__global__ void __launch_bounds__(threads_per_block) max_pool_kernel(T* y, const T* x, Half half) {
  for (std::int64_t i = first_item(); i < half.groups.count; i += item_stride()) {
    const T* w = x + half.window(i);
    Numbers8 most = load8(w);
    const Numbers8 b = load8(w + half.pitch), c = load8(w + half.row()), d = load8(w + half.row() + half.pitch);
    for (int k = 0; k < 8; ++k) {
      most.v[k] = wins(b.v[k], most.v[k]) ? b.v[k] : most.v[k];
      most.v[k] = wins(c.v[k], most.v[k]) ? c.v[k] : most.v[k];
      most.v[k] = wins(d.v[k], most.v[k]) ? d.v[k] : most.v[k];
    }
    store8(y + 8 * i, most);
  }
}

// dx may be x
template <class T>
__global__ void __launch_bounds__(threads_per_block)
    max_pool_gradient_kernel(T* dx, const T* dy, const T* x, Half half) {
  for (std::int64_t i = first_item(); i < half.groups.count; i += item_stride()) {
    const std::int64_t at = half.window(i), below = at + half.row();
    Numbers8 a = load8(x + at), b = load8(x + at + half.pitch), c = load8(x + below), d = load8(x + below + half.pitch);
    const Numbers8 top = load8(dy + 8 * i);
    for (int k = 0; k < 8; ++k) {  // handed from the last of the window to the first; the one that won keeps it
      const bool second = wins(b.v[k], a.v[k]);
      const float most2 = second ? b.v[k] : a.v[k];
      const bool third = wins(c.v[k], most2);
      const bool fourth = wins(d.v[k], third ? c.v[k] : most2);
      const float left3 = fourth ? 0.0f : top.v[k], left2 = third ? 0.0f : left3;
      a.v[k] = second ? 0.0f : left2;
      b.v[k] = second ? left2 : 0.0f;
      c.v[k] = third ? left3 : 0.0f;
      d.v[k] = fourth ? top.v[k] : 0.0f;
    }
    store8(dx + at, a);
    store8(dx + at + half.pitch, b);
    store8(dx + below, c);
    store8(dx + below + half.pitch, d);
  }
}

template <class T>
__global__ void __launch_bounds__(threads_per_block) upsample_nearest_kernel(T* y, const T* x, Half half) {
  for (std::int64_t i = first_item(); i < half.groups.count; i += item_stride()) {
    const Numbers8 v = load8(x + 8 * i);
    T* w = y + half.window(i);
    store8(w, v);
    store8(w + half.pitch, v);
    store8(w + half.row(), v);
    store8(w + half.row() + half.pitch, v);
  }
}

template <class T>
__global__ void __launch_bounds__(threads_per_block) upsample_nearest_gradient_kernel(T* dx, const T* dy, Half half) {
  for (std::int64_t i = first_item(); i < half.groups.count; i += item_stride()) {
    const T* w = dy + half.window(i);
    Numbers8 a = load8(w);
    const Numbers8 b = load8(w + half.pitch), c = load8(w + half.row()), d = load8(w + half.row() + half.pitch);
    for (int k = 0; k < 8; ++k) a.v[k] = (a.v[k] + b.v[k]) + (c.v[k] + d.v[k]);
    store8(dx + 8 * i, a);
  }
}

__device__ __forceinline__ std::int64_t clamped(std::int64_t i, std::int64_t size) {
  return i < 0 ? 0 : i < size ? i : size - 1;
}

// `whole`: the groups of y; `half`: of x.
template <class T>
__global__ void __launch_bounds__(threads_per_block)
    upsample_bilinear_kernel(T* y, const T* x, Groups whole, Half half) {
  const auto width = static_cast<std::uint32_t>(2 * half.width), height = static_cast<std::uint32_t>(2 * half.height);
  for (std::int64_t i = first_item(); i < whole.count; i += item_stride()) {
    const auto pixel = static_cast<std::uint32_t>(whole.pixel(i));
    const std::uint32_t row = pixel / width, n = row / height;
    const std::int64_t u = pixel - row * width, v = row - n * height;  // column and row within the image
    // The nearer row and column of x, and the farther one.
    const std::int64_t near_row = n * half.height + v / 2,
                       far_row = n * half.height + clamped(v % 2 ? v / 2 + 1 : v / 2 - 1, half.height), near = u / 2,
                       far = clamped(u % 2 ? u / 2 + 1 : u / 2 - 1, half.width);
    const T* p = x + whole.channel(i);
    Numbers8 a = load8(p + (near_row * half.width + near) * half.pitch);
    const Numbers8 b = load8(p + (near_row * half.width + far) * half.pitch),
                   c = load8(p + (far_row * half.width + near) * half.pitch),
                   d = load8(p + (far_row * half.width + far) * half.pitch);
    for (int k = 0; k < 8; ++k)
      a.v[k] = 0.75f * (0.75f * a.v[k] + 0.25f * b.v[k]) + 0.25f * (0.75f * c.v[k] + 0.25f * d.v[k]);
    store8(y + 8 * i, a);
  }
}

template <class T>
__global__ void __launch_bounds__(threads_per_block) upsample_bilinear_gradient_kernel(T* dx, const T* dy, Half half) {
  for (std::int64_t i = first_item(); i < half.groups.count; i += item_stride()) {
    const std::int64_t pixel = half.groups.pixel(i), u = half.column(pixel);
    const auto row = static_cast<std::uint32_t>(pixel) / static_cast<std::uint32_t>(half.width);
    const std::uint32_t n = row / static_cast<std::uint32_t>(half.height);
    const std::int64_t v = row - n * half.height;
    // The outputs that took from this pixel: 2v - 1 .. 2v + 2; where that leaves the image, the border took twice.
    const T* image = dy + 4 * n * half.height * half.width * half.pitch + half.groups.channel(i);
    const std::int64_t left = clamped(2 * u - 1, 2 * half.width) * half.pitch,
                       right = clamped(2 * u + 2, 2 * half.width) * half.pitch;
    Numbers8 sum = {};
    for (int r = 0; r < 4; ++r) {
      const T* line = image + clamped(2 * v - 1 + r, 2 * half.height) * half.row();
      const T* middle = line + 2 * u * half.pitch;
      const Numbers8 a = load8(line + left), b = load8(middle), c = load8(middle + half.pitch), d = load8(line + right);
      const float weight = r == 0 || r == 3 ? 0.25f : 0.75f;
      for (int k = 0; k < 8; ++k) sum.v[k] += weight * (0.25f * (a.v[k] + d.v[k]) + 0.75f * (b.v[k] + c.v[k]));
    }
    store8(dx + 8 * i, sum);
  }
}

}  // namespace ipa
