// How far a case of tests/cases lies from its naive reference in double, at the sizes of the benchmark.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <vector>

#include "bench/op_report.h"
#include "tests/support/run_case.h"

namespace ipa::bench {

// The derivative of the reference's sum_k <weights_k, output_k> along d, by central differences. Small steps lose
// digits, large ones cross kinks of ReLU or |.|; of five steps the two neighbours are taken that agree best.
struct Slope {
  double value = 0, doubt = std::numeric_limits<double>::infinity();
};
inline Slope slope(const test::OpCase& c, std::vector<test::Array> inputs, std::size_t input, const test::Array& d,
                   const std::vector<test::Array>& weights) {
  const test::Array original = inputs[input];
  auto reference_at = [&](double distance) {
    for (std::int64_t k = 0; k < d.size(); ++k) inputs[input][k] = original[k] + distance * d[k];
    return c.reference(inputs);
  };
  Slope best;
  std::optional<double> previous;
  for (const double step : {0x1p-28, 0x1p-22, 0x1p-16, 0x1p-10, 0x1p-4}) {
    const std::vector<test::Array> above = reference_at(step), below = reference_at(-step);
    double rise = 0;
    for (std::size_t k = 0; k < weights.size(); ++k)
      for (std::int64_t e = 0; e < weights[k].size(); ++e) rise += weights[k][e] * (above[k][e] - below[k][e]);
    const double now = rise / (2 * step);
    if (previous && std::abs(now - *previous) < best.doubt) best = {now, std::abs(now - *previous)};
    previous = now;
  }
  return best;
}

// A gradient g is compared along d, which is +-1 at up to 4096 elements chosen at random and else 0: |<g - exact, d>|
// over the norm of g on these elements, a sample of the relative distance and right in its size.
inline OpError error_of(const test::OpCase& c, Device device) {
  constexpr unsigned seed = 1;
  constexpr double resolved = 1e-5;
  const DType activations = compute_type_on(device);
  const std::vector<test::Array> inputs = test::case_inputs(c, seed, activations);  // as rounded
  const bool differentiable =
      std::ranges::any_of(c.inputs, [](const test::CaseInput& i) { return i.gradient && !i.state; });
  const test::CaseResult ours =
      test::run_case(c, inputs, differentiable, seed, {.device = device, .activations = activations});
  const std::vector<test::Array> exact = c.reference(inputs);
  OpError error;
  for (std::size_t k = 0; k < exact.size(); ++k)
    error.value = std::max(error.value, test::relative_distance(ours.outputs[k], exact[k]));
  if (!differentiable) return error;

  const std::vector<test::Array> weights = test::output_weights(c, seed);
  std::mt19937 random(seed);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!c.inputs[i].gradient || c.inputs[i].state) continue;
    const test::Array& g = ours.gradients[i];
    test::Array d(g.shape);
    for (int sample = 0; sample < 4096; ++sample)
      d[static_cast<std::int64_t>(random() % static_cast<unsigned long>(g.size()))] = random() % 2 ? 1 : -1;
    double along = 0, squares = 0;
    for (std::int64_t k = 0; k < g.size(); ++k) {
      along += g[k] * d[k];
      squares += g[k] * g[k] * d[k] * d[k];
    }
    const Slope expected = slope(c, inputs, i, d, weights);
    const double norm = std::sqrt(squares);
    error.gradients.push_back(expected.doubt <= resolved * norm ? std::optional(std::abs(along - expected.value) / norm)
                                                                : std::nullopt);
  }
  return error;
}

}  // namespace ipa::bench
