#include "engine/transfer.h"

#include <cstring>

#include "engine/cuda/runtime.h"
#include "engine/on_device.h"

namespace ipa {
namespace {

template <class T>
void unpad(const std::vector<std::byte>& raw, const Tensor& t, std::vector<float>& values) {
  for (std::int64_t p = 0; p < t.shape.pixels(); ++p)
    for (std::int64_t c = 0; c < t.shape.c; ++c) {
      T element;
      std::memcpy(&element, raw.data() + static_cast<std::size_t>(p * t.pitch + c) * sizeof(T), sizeof(T));
      values[static_cast<std::size_t>(p * t.shape.c + c)] = to_float(element);
    }
}

template <class T, class Convert>
void pad(std::span<const float> values, const Tensor& t, std::vector<std::byte>& raw, Convert convert) {
  for (std::int64_t p = 0; p < t.shape.pixels(); ++p)
    for (std::int64_t c = 0; c < t.shape.c; ++c) {
      const T element = convert(values[static_cast<std::size_t>(p * t.shape.c + c)]);
      std::memcpy(raw.data() + static_cast<std::size_t>(p * t.pitch + c) * sizeof(T), &element, sizeof(T));
    }
}

void require_number(const Tensor& t) {
  require(t.dtype == DType::f32 || t.dtype == DType::bf16, "transfer: the tensor must be f32 or bf16");
}

}  // namespace

void copy_to_device(const void* host, std::size_t bytes, void* memory, Device device) {
  on_device(
      device, [&] { std::memcpy(memory, host, bytes); }, [&] { cuda::copy_in(device.index, memory, host, bytes); });
}

void copy_to_host(const void* memory, Device device, std::size_t bytes, void* host) {
  on_device(
      device, [&] { std::memcpy(host, memory, bytes); }, [&] { cuda::copy_out(device.index, host, memory, bytes); });
}

std::vector<float> to_host(const Tensor& t) {
  require_number(t);
  std::vector<float> values(static_cast<std::size_t>(t.elements()));
  if (t.packed() && t.dtype == DType::f32) {
    copy_to_host(t.data, t.device, t.spec().bytes(), values.data());
    return values;
  }
  // The last pixel's padding may lie beyond the memory of a slice.
  const auto elements = static_cast<std::size_t>((t.shape.pixels() - 1) * t.pitch + t.shape.c);
  std::vector<std::byte> raw(elements * size_of(t.dtype));
  copy_to_host(t.data, t.device, raw.size(), raw.data());
  t.dtype == DType::f32 ? unpad<float>(raw, t, values) : unpad<bf16>(raw, t, values);
  return values;
}

void from_host(std::span<const float> values, const Tensor& t) {
  require_number(t);
  require(static_cast<std::int64_t>(values.size()) == t.elements(), "transfer: as many values as elements");
  if (t.packed() && t.dtype == DType::f32 && !(t.filter && !t.device.is_cpu())) {
    copy_to_device(values.data(), t.spec().bytes(), t.data, t.device);
    return;
  }
  require(t.pitch == pitch_on(t.device, t.spec()), "transfer: not into a slice");
  std::vector<std::byte> raw(bytes_on(t.device, t.spec()));  // zeros
  if (t.dtype == DType::f32)
    pad<float>(values, t, raw, [](float v) { return v; });
  else
    pad<bf16>(values, t, raw, to_bf16);
  copy_to_device(raw.data(), raw.size(), t.data, t.device);
}

}  // namespace ipa
