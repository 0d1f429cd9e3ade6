// What a thread of our kernels works on: eight neighbouring channels of one pixel, in fp32 registers whatever the
// storage type. 16 bytes of bf16 or twice 16 of fp32; the pitch is a multiple of 8, so every access is aligned.
#pragma once

#include "engine/tensor.h"
#include "kernels/gpu.h"

namespace ipa {

struct Numbers8 {
  float v[8];
};

__device__ __forceinline__ Numbers8 load8(const bf16* p) {
  const Vector16 raw = load_vector(p);
  Numbers8 x;
  for (int i = 0; i < 4; ++i) {
    x.v[2 * i] = to_float(bf16{static_cast<std::uint16_t>(raw.word[i])});
    x.v[2 * i + 1] = to_float(bf16{static_cast<std::uint16_t>(raw.word[i] >> 16)});
  }
  return x;
}

__device__ __forceinline__ Numbers8 load8(const float* p) {
  Numbers8 x;
  for (int h = 0; h < 2; ++h) {
    const Vector16 raw = load_vector(p + 4 * h);
    for (int i = 0; i < 4; ++i) x.v[4 * h + i] = std::bit_cast<float>(raw.word[i]);
  }
  return x;
}

__device__ __forceinline__ void store8(bf16* p, const Numbers8& x) {
  Vector16 raw;
  for (int i = 0; i < 4; ++i)
    raw.word[i] = to_bf16(x.v[2 * i]).bits | static_cast<std::uint32_t>(to_bf16(x.v[2 * i + 1]).bits) << 16;
  store_vector(p, raw);
}

__device__ __forceinline__ void store8(float* p, const Numbers8& x) {
  for (int h = 0; h < 2; ++h) {
    Vector16 raw;
    for (int i = 0; i < 4; ++i) raw.word[i] = std::bit_cast<std::uint32_t>(x.v[4 * h + i]);
    store_vector(p + 4 * h, raw);
  }
}

// A tensor's padding is 0 in memory: channels from `valid` on are.
__device__ __forceinline__ void zero_padding(Numbers8& x, std::int64_t valid) {
  for (int i = 0; i < 8; ++i) x.v[i] = i < valid ? x.v[i] : 0.0f;
}

// The groups of eight of a whole tensor, in memory's order: group i are channels channel(i) .. channel(i) + 7 of pixel
// pixel(i) and lie at element 8 i. Divisions are of 32 bits: those of 64 would take longer than the memory.
struct Groups {
  std::int64_t count = 0;
  std::int64_t per_pixel = 1;
  std::int64_t channels = 0;

  Groups() = default;
  explicit Groups(const Tensor& t)
      : count(t.shape.pixels() * (t.pitch / 8)), per_pixel(t.pitch / 8), channels(t.shape.c) {
    require(count < std::int64_t{1} << 32, "kernel: a tensor of more than 2^35 elements");
  }
  IPA_HD std::int64_t pixel(std::int64_t i) const {
    return static_cast<std::uint32_t>(i) / static_cast<std::uint32_t>(per_pixel);
  }
  IPA_HD std::int64_t channel(std::int64_t i) const { return (i - pixel(i) * per_pixel) * 8; }
  IPA_HD std::int64_t valid(std::int64_t i) const { return channels - channel(i); }
};

// Loops of the form `for (i = first_item(); i < count; i += item_stride())` over a grid of any size.
__device__ __forceinline__ std::int64_t first_item() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ __forceinline__ std::int64_t item_stride() { return static_cast<std::int64_t>(gridDim.x) * blockDim.x; }

constexpr unsigned threads_per_block = 256;

// Blocks for such a loop: enough for every item, at most what fills the largest GPU several times over.
inline dim3 blocks_for(std::int64_t items) {
#ifdef IPA_EMULATION
  constexpr std::int64_t most = 4;  // more would only cost time
#else
  constexpr std::int64_t most = 132 * 16;
#endif
  const std::int64_t blocks = (items + threads_per_block - 1) / threads_per_block;
  return dim3(static_cast<unsigned>(blocks < 1 ? 1 : blocks < most ? blocks : most));
}

// Calls f with a null pointer of the tensor's storage type, so that a kernel is instantiated for it.
template <class F>
void with_storage(const Tensor& t, F&& f) {
  require(t.dtype == DType::f32 || t.dtype == DType::bf16, "kernel: the tensor must be f32 or bf16");
  t.dtype == DType::bf16 ? f(static_cast<bf16*>(nullptr)) : f(static_cast<float*>(nullptr));
}

// A whole tensor's elements, in the type that `with_storage` chose.
template <class T>
T* data_of(const Tensor& t) {
  return static_cast<T*>(t.data);
}

}  // namespace ipa
