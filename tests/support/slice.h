// Tensors that are slices of wider ones, as kernels get them from a concatenation.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "tests/support/array.h"

namespace ipa::test {

// A tensor inside of wider pixels, with room around it; `intact` says whether anything was written beside it.
class Slice {
 public:
  Slice(const Shape& shape, std::int64_t beside) : pitch_(shape.c + beside), shape_(shape) {
    values_.assign(static_cast<std::size_t>(guard + shape.pixels() * pitch_ + guard), marker);
  }
  Slice(const Array& a, std::int64_t beside) : Slice(a.shape, beside) {
    for (std::int64_t i = 0; i < a.size(); ++i) values_[place(i)] = static_cast<float>(a[i]);
  }
  Tensor tensor() {
    Tensor t(values_.data() + guard, {shape_});
    t.pitch = pitch_;
    return t;
  }
  Array array() const {
    Array a(shape_);
    for (std::int64_t i = 0; i < a.size(); ++i) a[i] = static_cast<double>(values_[place(i)]);
    return a;
  }
  bool intact() const {
    std::vector<float> left = values_;
    for (std::int64_t i = 0; i < shape_.elements(); ++i) left[place(i)] = marker;
    return std::all_of(left.begin(), left.end(), [](float v) { return v == marker; });
  }

 private:
  static constexpr std::int64_t guard = 64;
  static constexpr float marker = 12345.0f;
  std::size_t place(std::int64_t i) const {
    return static_cast<std::size_t>(guard + i / shape_.c * pitch_ + i % shape_.c);
  }
  std::int64_t pitch_;
  Shape shape_;
  std::vector<float> values_;
};

inline bool same_bits(const Array& a, const Array& b) {
  return std::memcmp(a.v.data(), b.v.data(), a.v.size() * sizeof(double)) == 0;
}

}  // namespace ipa::test
