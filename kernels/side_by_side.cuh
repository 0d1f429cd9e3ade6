// Tensors side by side along the channels, each padded on its own, read and written by threads that own eight channels
// of the whole. Channels k .. k + 7 of the whole begin anywhere in a part, in bf16 at any even address. So a thread
// reads the two aligned groups that hold them and shifts by the difference (the same one for all of its pixels), once
// for each part that reaches into its group; what lies outside a part is 0, and the parts are joined by or. In bf16
// that is at most two 16-byte loads (the second from a line that a neighbour reads too) and about 20 instructions for a
// part. Writes go through shared memory, where whole pixels stand as the whole: from there each part's own aligned
// groups are read in the same way, and every 16 bytes of a part, its padding included, are written once, in memory's
// order.
#pragma once

#include <span>

#include "kernels/numbers8.cuh"

namespace ipa {

// Eight numbers as they lie in memory.
template <class T>
struct Raw8 {
  static constexpr int words = 2 * sizeof(T);
  std::uint32_t word[words];
};

// Elements first .. first + 7 of a row of `pitch`, which is a multiple of 8; 0 where there are none. `row` is aligned.
__device__ __forceinline__ Raw8<bf16> load_raw8(const bf16* row, int pitch, int first) {
  const int aligned = first & ~7, shift = first & 7;
  std::uint32_t w[8] = {};
  for (int half = 0; half < 2; ++half) {
    const int at = aligned + 8 * half;
    if (at < 0 || at >= pitch || (half == 1 && shift == 0)) continue;
    const Vector16 v = load_vector(row + at);
    for (int i = 0; i < 4; ++i) w[4 * half + i] = v.word[i];
  }
  for (int i = 0; i < 6; ++i) w[i] = shift & 4 ? w[i + 2] : w[i];  // by 4 elements, 2, 1; beyond are no more needed
  for (int i = 0; i < 5; ++i) w[i] = shift & 2 ? w[i + 1] : w[i];
  Raw8<bf16> x;
  for (int i = 0; i < 4; ++i) x.word[i] = shift & 1 ? w[i] >> 16 | w[i + 1] << 16 : w[i];
  return x;
}

// fp32 is not for speed: one by one.
__device__ __forceinline__ Raw8<float> load_raw8(const float* row, int pitch, int first) {
  Raw8<float> x;
  for (int i = 0; i < 8; ++i)
    x.word[i] = first + i < 0 || first + i >= pitch ? 0 : std::bit_cast<std::uint32_t>(row[first + i]);
  return x;
}

__device__ __forceinline__ Numbers8 to_numbers(const Raw8<bf16>& raw) {
  Numbers8 x;
  for (int i = 0; i < 4; ++i) {
    x.v[2 * i] = to_float(bf16{static_cast<std::uint16_t>(raw.word[i])});
    x.v[2 * i + 1] = to_float(bf16{static_cast<std::uint16_t>(raw.word[i] >> 16)});
  }
  return x;
}
__device__ __forceinline__ Numbers8 to_numbers(const Raw8<float>& raw) {
  Numbers8 x;
  for (int i = 0; i < 8; ++i) x.v[i] = std::bit_cast<float>(raw.word[i]);
  return x;
}

// N tensors of equal pixels.
template <class T, int N>
struct Parts {
  T* data[N];
  int pitch[N], channels[N], offset[N];  // offset: of its first channel in the whole
  std::int64_t pixels;

  Parts(std::span<const Tensor> parts, const Tensor& whole) : pixels(whole.shape.pixels()) {
    require(parts.size() == N, "tensors side by side: another number of them");
    int sum = 0;
    for (int k = 0; k < N; ++k) {
      const Tensor& p = parts[static_cast<std::size_t>(k)];
      require(p.dtype == whole.dtype && p.shape.pixels() == pixels, "tensors side by side: shapes or types differ");
      data[k] = static_cast<T*>(p.data);
      pitch[k] = static_cast<int>(p.pitch);
      channels[k] = static_cast<int>(p.shape.c);
      offset[k] = sum;
      sum += channels[k];
    }
    require(sum == whole.shape.c, "tensors side by side: the channels do not add up");
  }

  // Channels channel .. channel + 7 of the whole, `channel` a multiple of 8.
  __device__ __forceinline__ Numbers8 load(std::int64_t pixel, std::int64_t channel) const {
    if constexpr (N == 1) return load8(data[0] + pixel * pitch[0] + channel);
    Raw8<T> all = {};
    for (int k = 0; k < N; ++k) {
      const int first = static_cast<int>(channel) - offset[k];
      if (first <= -8 || first >= channels[k]) continue;
      const Raw8<T> part = load_raw8(data[k] + pixel * pitch[k], pitch[k], first);
      for (int i = 0; i < Raw8<T>::words; ++i) all.word[i] |= part.word[i];
    }
    return to_numbers(all);
  }
};

}  // namespace ipa
