#include "tests/support/golden.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "io/safetensors.h"

namespace ipa::test {
namespace {

// tests/golden/store.py, thin().
std::vector<float> thinned(const std::vector<float>& values, std::size_t goal) {
  if (values.size() == goal) return values;
  constexpr std::size_t most = 512;
  std::size_t stride = (values.size() + most - 1) / most;
  while (std::gcd(stride, values.size()) != 1) ++stride;
  std::vector<float> thin;
  for (std::size_t i = 0; i < values.size(); i += stride) thin.push_back(values[i]);
  return thin;
}

}  // namespace

Golden::Golden(const std::string& name)
    : arrays_(read_safetensors(IPA_TEST_DIR "/golden/" + name + ".safetensors").arrays) {
  for (std::size_t i = 0; i < arrays_.size(); ++i) index_[arrays_[i].name] = i;
}

const NamedArray& Golden::operator[](const std::string& name) const {
  const auto found = index_.find(name);
  require(found != index_.end(), "golden file without " + name);
  return arrays_[found->second];
}

void Golden::fill(const std::string& name, const Tensor& t) const {
  const std::vector<float>& values = (*this)[name].values;
  require(static_cast<std::int64_t>(values.size()) == t.elements() && t.shape.c == 1, "golden image of another shape");
  std::copy(values.begin(), values.end(), t.f32());
}

double Golden::distance_in_float32_errors(const std::string& name, const std::vector<float>& values) const {
  const std::vector<float>& expected = (*this)[name].values;
  const std::vector<float> given = thinned(values, expected.size());
  require(given.size() == expected.size(), "golden array of another size: " + name);
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const double d = double{given[i]} - expected[i];
    difference += d * d;
    norm += double{expected[i]} * expected[i];
  }
  // A few numbers can come out right by luck: never ask for less than about the median of a step's gradients.
  const double error = std::max(number("float32_error/" + name), 2e-6);
  return std::sqrt(difference) / (norm > 0 ? std::sqrt(norm) : 1) / error;
}

WeightMap Golden::under(const std::string& prefix) const {
  WeightMap map;
  for (const NamedArray& a : arrays_)
    if (a.name.starts_with(prefix)) map.push_back({a.name.substr(prefix.size()), a.shape, a.values});
  return map;
}

}  // namespace ipa::test
