#include "tests/support/array.h"

#include <cmath>
#include <random>

#include "engine/transfer.h"

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
  const std::vector<float> values = to_host(t);
  std::copy(values.begin(), values.end(), a.v.begin());
  return a;
}

void to_tensor(const Array& a, const Tensor& t) {
  require(a.shape == t.shape, "to_tensor: shapes differ");
  const std::vector<float> values(a.v.begin(), a.v.end());
  from_host(values, t);
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
