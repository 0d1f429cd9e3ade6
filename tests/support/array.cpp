#include "tests/support/array.h"

#include <cmath>
#include <random>

namespace ipa::test {

Array random_array(const Shape& shape, double low, double high, unsigned seed) {
  Array a(shape);
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  for (double& v : a.v) v = static_cast<float>(uniform(engine));  // what an fp32 tensor can hold
  return a;
}

Array map(const Array& a, const std::function<double(double)>& f) {
  Array b(a.shape);
  for (std::size_t i = 0; i < a.v.size(); ++i) b.v[i] = f(a.v[i]);
  return b;
}

Array from_tensor(const Tensor& t) {
  Array a(t.shape);
  for (std::int64_t p = 0; p < t.shape.pixels(); ++p)
    for (std::int64_t c = 0; c < t.shape.c; ++c) a[p * t.shape.c + c] = t.f32()[p * t.pitch + c];
  return a;
}

void to_tensor(const Array& a, const Tensor& t) {
  require(a.shape == t.shape, "to_tensor: shapes differ");
  for (std::int64_t p = 0; p < t.shape.pixels(); ++p)
    for (std::int64_t c = 0; c < t.shape.c; ++c) t.f32()[p * t.pitch + c] = static_cast<float>(a[p * t.shape.c + c]);
}

double relative_distance(const Array& a, const Array& reference) {
  require(a.shape == reference.shape, "relative_distance: shapes differ");
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.v.size(); ++i) {
    difference += (a.v[i] - reference.v[i]) * (a.v[i] - reference.v[i]);
    norm += reference.v[i] * reference.v[i];
  }
  return std::sqrt(difference) / std::max(std::sqrt(norm), 1e-30);
}

}  // namespace ipa::test
