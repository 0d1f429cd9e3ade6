// Tensors: dense NHWC blocks that borrow their memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/bf16.h"
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
  bool filter = false;  // weights of a convolution (out, kh, kw, in), of which a backend may pad `out` too

  std::size_t bytes() const { return static_cast<std::size_t>(shape.elements()) * size_of(dtype); }
  friend bool operator==(const TensorSpec&, const TensorSpec&) = default;
};

// How a tensor lies in a device's memory. On the CPU it is packed. On CUDA the channels of numbers (f32, bf16) are
// padded to a multiple of 8 and so are the filters of weights: cuDNN would else convert whole tensors, and 8 numbers of
// bf16 are one 16-byte access. What is padded is 0 in memory at all times: whoever writes a tensor writes its padding,
// and whoever reads it may count on it. Scalars alone are exempt: their padding is never read.
constexpr std::int64_t padded_to_8(std::int64_t n) { return (n + 7) / 8 * 8; }
constexpr std::int64_t pitch_on(Device device, const TensorSpec& s) {
  return device.is_cpu() || s.dtype == DType::u8 || s.dtype == DType::i32 ? s.shape.c : padded_to_8(s.shape.c);
}
constexpr std::int64_t elements_on(Device device, const TensorSpec& s) {  // with padding
  const std::int64_t rows = s.filter && !device.is_cpu() ? padded_to_8(s.shape.n) : s.shape.n;
  return rows * s.shape.h * s.shape.w * pitch_on(device, s);
}
constexpr std::size_t bytes_on(Device device, const TensorSpec& s) {
  return static_cast<std::size_t>(elements_on(device, s)) * size_of(s.dtype);
}

// In which networks keep activations there, and the weights that convolutions read.
constexpr DType compute_type_on(Device device) { return device.is_cpu() ? DType::f32 : DType::bf16; }

// Borrows memory; trivially copyable, passed by value. Element (n, y, x, c) lies at ((n*h + y)*w + x)*pitch + c: the
// pixel pitch, in elements, is at least shape.c. A range of a wider tensor's channels is a tensor too, of that one's
// pitch.
struct Tensor {
  void* data = nullptr;
  Shape shape;
  std::int64_t pitch = 0;
  DType dtype = DType::f32;
  bool filter = false;
  Device device;

  Tensor() = default;
  Tensor(void* memory, const TensorSpec& spec, Device where = {})
      : data(memory),
        shape(spec.shape),
        pitch(pitch_on(where, spec)),
        dtype(spec.dtype),
        filter(spec.filter),
        device(where) {}

  TensorSpec spec() const { return {shape, dtype, filter}; }
  bool packed() const { return pitch == shape.c; }
  // As a tensor of these channels and pixels has it that is no range of a wider one's channels.
  bool own_pitch() const { return pitch == pitch_on(device, spec()); }
  // Channels [first, first + count), where they lie.
  Tensor channels(std::int64_t first, std::int64_t count) const {
    require(first >= 0 && count > 0 && first + count <= shape.c, "a tensor has no such channels");
    Tensor part = *this;
    part.data = static_cast<std::byte*>(data) + static_cast<std::size_t>(first) * size_of(dtype);
    part.shape.c = count;
    return part;
  }
  std::int64_t elements() const { return shape.elements(); }

  // Typed access, checked. On CUDA these point to the device's memory.
  float* f32() const { return static_cast<float*>(as(DType::f32)); }
  bf16* b16() const { return static_cast<bf16*>(as(DType::bf16)); }
  std::uint8_t* u8() const { return static_cast<std::uint8_t*>(as(DType::u8)); }
  std::int32_t* i32() const { return static_cast<std::int32_t*>(as(DType::i32)); }

 private:
  void* as(DType t) const {
    require(dtype == t, "tensor accessed as another dtype");
    return data;
  }
};

}  // namespace ipa
