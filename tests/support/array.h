// A dense NHWC array of doubles for naive references.
#pragma once

#include <functional>
#include <vector>

#include "engine/tensor.h"

namespace ipa::test {

struct Array {
  Shape shape;
  std::vector<double> v;

  explicit Array(const Shape& s = {}, double value = 0) : shape(s), v(static_cast<std::size_t>(s.elements()), value) {}
  double& at(std::int64_t n, std::int64_t y, std::int64_t x, std::int64_t c) { return v[index(n, y, x, c)]; }
  double at(std::int64_t n, std::int64_t y, std::int64_t x, std::int64_t c) const { return v[index(n, y, x, c)]; }
  double& operator[](std::int64_t i) { return v[static_cast<std::size_t>(i)]; }
  double operator[](std::int64_t i) const { return v[static_cast<std::size_t>(i)]; }
  std::int64_t size() const { return shape.elements(); }

 private:
  std::size_t index(std::int64_t n, std::int64_t y, std::int64_t x, std::int64_t c) const {
    return static_cast<std::size_t>(((n * shape.h + y) * shape.w + x) * shape.c + c);
  }
};

Array random_array(const Shape& shape, double low, double high, unsigned seed);
Array map(const Array& a, const std::function<double(double)>& f);
Array from_tensor(const Tensor& t);
void to_tensor(const Array& a, const Tensor& t);
double relative_distance(const Array& a,
                         const Array& reference);  // ||a - reference|| / max(||reference||, tiny); NaN stays NaN

}  // namespace ipa::test
