// What the cases of the two tails share: the inputs of a batch norm among a case's inputs.
#pragma once

#include <algorithm>
#include <array>

#include "graph/ops.h"
#include "tests/support/naive_batch_norm.h"
#include "tests/support/op_case.h"

namespace ipa::test {

// Appends beta, running mean and variance, and gamma where wanted, to the case's inputs.
struct NormInputs {
  std::size_t at;
  bool gamma;
  float eps, momentum;

  NormInputs(OpCase& c, std::int64_t channels, bool with_gamma, float e, float m)
      : at(c.inputs.size()), gamma(with_gamma), eps(e), momentum(m) {
    const Shape vector = vector_shape(channels);
    c.inputs.insert(c.inputs.end(), {{.shape = vector, .exact = true},
                                     {.shape = vector, .state = true},
                                     {.shape = vector, .low = 0.5, .high = 2, .state = true}});
    if (gamma) c.inputs.push_back({.shape = vector, .low = -2, .high = 2, .exact = true});
  }

  BatchNorm norm(const std::vector<Value>& in) const {
    return {.gamma = gamma ? in[at + 3] : Value{},
            .beta = in[at],
            .running_mean = in[at + 1],
            .running_var = in[at + 2],
            .eps = eps,
            .momentum = momentum};
  }
  NaiveBatchNorm naive(const Array& x, const std::vector<Array>& in) const {
    return naive_batch_norm(x, gamma ? &in[at + 3] : nullptr, in[at], in[at + 1], in[at + 2], eps, momentum);
  }
};

inline Array sum_relu(const Array& a, const Array& b) {
  Array r(a.shape);
  for (std::int64_t i = 0; i < r.size(); ++i) r[i] = std::max(0.0, a[i] + b[i]);
  return r;
}

}  // namespace ipa::test
