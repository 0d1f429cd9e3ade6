#include "tests/support/golden.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/transfer.h"
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

// Calls f(NHWC index, NCHW index) for every element.
template <class F>
void for_each_nchw(const Shape& s, F f) {
  std::size_t nchw = 0;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t c = 0; c < s.c; ++c)
      for (std::int64_t p = 0; p < s.h * s.w; ++p) f(static_cast<std::size_t>((n * s.h * s.w + p) * s.c + c), nchw++);
}

bool is_gram(const NamedArray& a) { return a.shape.size() == 3; }

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

Shape Golden::nhwc_shape(const std::string& name) const {
  const std::vector<std::int64_t>& s = (*this)[name].shape;
  require(s.size() != 2 && s.size() <= 4, "golden array of two or more than four dimensions: " + name);
  if (s.size() == 4) return {s[0], s[2], s[3], s[1]};
  if (s.size() == 3) return {s[0], 1, s[1], s[2]};
  return s.empty() ? scalar_shape : vector_shape(s[0]);
}

void Golden::fill(const std::string& name, const Tensor& t) const {
  const NamedArray& a = (*this)[name];
  require(nhwc_shape(name) == t.shape, "golden array of another shape: " + name);
  std::vector<float> values = a.values;
  if (!is_gram(a)) for_each_nchw(t.shape, [&](std::size_t nhwc, std::size_t nchw) { values[nhwc] = a.values[nchw]; });
  from_host(values, t);
}

double Golden::Squares::relative_distance() const { return std::sqrt(difference) / (norm > 0 ? std::sqrt(norm) : 1); }

Golden::Squares Golden::squares(const std::string& name, const std::vector<float>& values) const {
  const std::vector<float>& expected = (*this)[name].values;
  const std::vector<float> given = thinned(values, expected.size());
  require(given.size() == expected.size(), "golden array of another size: " + name);
  Squares sum;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const double d = double{given[i]} - expected[i];
    sum.difference += d * d;
    sum.norm += double{expected[i]} * expected[i];
  }
  return sum;
}

std::vector<float> Golden::in_file_order(const std::string& name, const Tensor& t) const {
  const std::vector<float> in_memory = to_host(t);
  std::vector<float> values = in_memory;
  if (!is_gram((*this)[name]))
    for_each_nchw(t.shape, [&](std::size_t nhwc, std::size_t nchw) { values[nchw] = in_memory[nhwc]; });
  return values;
}

double Golden::distance_in_float32_errors(const std::string& name, const std::vector<float>& values) const {
  // A few numbers can come out right by luck: never ask for less than about the median of a step's gradients.
  const double error = std::max(number("float32_error/" + name), 2e-6);
  return squares(name, values).relative_distance() / error;
}

double Golden::distance_in_float32_errors(const std::string& name, const Tensor& t) const {
  return distance_in_float32_errors(name, in_file_order(name, t));
}

double Golden::distance_in_bf16_errors(const std::string& name, const std::vector<float>& values) const {
  return squares(name, values).relative_distance() / number("bf16_error/" + name);
}

double Golden::distance_in_bf16_errors(const std::string& name, const Tensor& t) const {
  return distance_in_bf16_errors(name, in_file_order(name, t));
}

double Golden::network_distance_in_bf16_errors(const std::string& term, const std::string& network,
                                               const WeightMap& gradients) const {
  const std::string prefix = "grad/" + term + "/";
  Squares sum;
  for (const NamedArray& g : gradients) {
    const Squares of_one = squares(prefix + g.name, g.values);
    // A thinned array stands for all its elements.
    const double scale = double(g.values.size()) / double((*this)[prefix + g.name].values.size());
    sum.difference += scale * of_one.difference;
    sum.norm += scale * of_one.norm;
  }
  return sum.relative_distance() / number("bf16_error/all/" + term + "/" + network);
}

WeightMap Golden::under(const std::string& prefix) const {
  WeightMap map;
  for (const NamedArray& a : arrays_)
    if (a.name.starts_with(prefix)) map.push_back({a.name.substr(prefix.size()), a.shape, a.values});
  return map;
}

}  // namespace ipa::test
