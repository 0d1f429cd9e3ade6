// Device code of concat.h. A thread takes groups of eight channels of the tensor that is written, grid-stride: one
// 16-byte copy where the group comes from one aligned group of one tensor, else channel by channel. No shared memory.
#pragma once

#include "kernels/concat.h"
#include "kernels/numbers8.cuh"

namespace ipa {

constexpr int most_parts = 8;

template <class T>
struct ConcatParts {
  const T* data[most_parts];
  std::int64_t pitch[most_parts];
  std::int64_t first[most_parts + 1] = {};  // channel of the result, and where the last one ends
  int count = 0;

  void add(const Tensor& part) {
    data[count] = data_of<T>(part);
    pitch[count] = part.pitch;
    first[count + 1] = first[count] + part.shape.c;
    ++count;
  }
};

template <class T>
__global__ void __launch_bounds__(threads_per_block) concat_kernel(T* y, ConcatParts<T> parts, Groups groups) {
  for (std::int64_t i = first_item(); i < groups.count; i += item_stride()) {
    const std::int64_t pixel = groups.pixel(i), channel = groups.channel(i), end = groups.channels;
    int k = 0;
    while (parts.first[k + 1] <= channel) ++k;
    Numbers8 v;
    if (parts.first[k] % 8 == 0 && (channel + 8 <= parts.first[k + 1] || k + 1 == parts.count)) {
      v = load8(parts.data[k] + pixel * parts.pitch[k] + channel - parts.first[k]);  // with the last part's padding
    } else {
      for (int j = 0; j < 8; ++j) {
        const std::int64_t c = channel + j;
        while (k + 1 < parts.count && parts.first[k + 1] <= c) ++k;
        v.v[j] = c < end ? to_float(parts.data[k][pixel * parts.pitch[k] + c - parts.first[k]]) : 0.0f;
      }
    }
    store8(y + 8 * i, v);
  }
}

// y = x[.., first : first + C]; `x_pitch` of x, `groups` of y.
template <class T>
__global__ void __launch_bounds__(threads_per_block)
    slice_kernel(T* y, const T* x, std::int64_t x_pitch, std::int64_t first, Groups groups) {
  const bool aligned = first % 8 == 0;
  for (std::int64_t i = first_item(); i < groups.count; i += item_stride()) {
    const std::int64_t valid = groups.valid(i);
    const T* from = x + groups.pixel(i) * x_pitch + first + groups.channel(i);
    Numbers8 v;
    if (aligned) {
      v = load8(from);
      zero_padding(v, valid);
    } else {
      for (int j = 0; j < 8; ++j) v.v[j] = j < valid ? to_float(from[j]) : 0.0f;
    }
    store8(y + 8 * i, v);
  }
}

// dx = dy at channels first .. first + count - 1, 0 elsewhere; `groups` of dx.
template <class T>
__global__ void __launch_bounds__(threads_per_block)
    slice_gradient_kernel(T* dx, const T* dy, std::int64_t dy_pitch, std::int64_t first, std::int64_t count,
                          Groups groups) {
  const bool aligned = first % 8 == 0;
  for (std::int64_t i = first_item(); i < groups.count; i += item_stride()) {
    const std::int64_t c = groups.channel(i) - first;  // of dy
    const T* from = dy + groups.pixel(i) * dy_pitch;
    Numbers8 v = {};
    if (aligned) {
      if (c >= 0 && c < count) v = load8(from + c);  // with dy's padding
    } else {
      for (int j = 0; j < 8; ++j)
        if (c + j >= 0 && c + j < count) v.v[j] = to_float(from[c + j]);
    }
    store8(dx + 8 * i, v);
  }
}

}  // namespace ipa
