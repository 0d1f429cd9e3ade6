// Tensors: dense NHWC blocks that borrow their memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/device.h"
#include "engine/error.h"

namespace ipa {

enum class DType : std::uint8_t { f32, bf16, u8, i32 };

constexpr std::size_t size_of(DType t) { return t == DType::u8 ? 1 : t == DType::bf16 ? 2 : 4; }
const char* to_string(DType t);

// Batch, height, width, channels. Convolution weights are (out, kh, kw, in); per-channel vectors (1, 1, 1, C);
// scalars (1, 1, 1, 1); Gram matrices (N, 1, C, C).
struct Shape {
  std::int64_t n = 1, h = 1, w = 1, c = 1;

  constexpr std::int64_t pixels() const { return n * h * w; }
  constexpr std::int64_t elements() const { return pixels() * c; }
  friend constexpr bool operator==(const Shape&, const Shape&) = default;
};
std::string to_string(const Shape& s);  // "(2, 96, 96, 8)"

constexpr Shape vector_shape(std::int64_t channels) { return {1, 1, 1, channels}; }
constexpr Shape scalar_shape = {1, 1, 1, 1};

// What a graph knows of a tensor before it has memory.
struct TensorSpec {
  Shape shape;
  DType dtype = DType::f32;

  std::size_t bytes() const { return static_cast<std::size_t>(shape.elements()) * size_of(dtype); }
  friend bool operator==(const TensorSpec&, const TensorSpec&) = default;
};

// Borrows memory; trivially copyable, passed by value. Element (n, y, x, c) lies at ((n*h + y)*w + x)*pitch + c: the
// pixel pitch, in elements, is at least shape.c (larger for a channel slice of a wider tensor).
struct Tensor {
  void* data = nullptr;
  Shape shape;
  std::int64_t pitch = 0;
  DType dtype = DType::f32;
  Device device;

  Tensor() = default;
  Tensor(void* memory, const TensorSpec& spec, Device where = {})
      : data(memory), shape(spec.shape), pitch(spec.shape.c), dtype(spec.dtype), device(where) {}

  TensorSpec spec() const { return {shape, dtype}; }
  bool packed() const { return pitch == shape.c; }
  std::int64_t elements() const { return shape.elements(); }

  // Typed access, checked.
  float* f32() const { return static_cast<float*>(as(DType::f32)); }

 private:
  void* as(DType t) const {
    require(dtype == t, "tensor accessed as another dtype");
    return data;
  }
};

}  // namespace ipa
