// Runs every registered case. `test_ops "[ops]" -c <case name>` runs one.
#include <omp.h>

#include <catch2/catch.hpp>
#include <random>

#include "tests/support/run_case.h"

using namespace ipa;
using namespace ipa::test;

namespace {

constexpr unsigned seed = 17;

double weighted(const OpCase& c, const std::vector<Array>& inputs, const std::vector<Array>& weights) {
  const std::vector<Array> out = c.reference(inputs);
  double sum = 0;
  for (std::size_t k = 0; k < weights.size(); ++k)
    for (std::int64_t i = 0; i < weights[k].size(); ++i) sum += weights[k][i] * out[k][i];
  return sum;
}

void check_gradients(const OpCase& c, std::vector<Array> inputs, const CaseResult& result) {
  const std::vector<Array> weights = output_weights(c, seed);
  std::mt19937 engine(seed);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!c.inputs[i].gradient || c.inputs[i].state) continue;
    double largest = 1e-3;
    for (const double g : result.gradients[i].v) largest = std::max(largest, std::abs(g));
    for (int sample = 0; sample < 24; ++sample) {
      const auto at = static_cast<std::int64_t>(engine() % static_cast<unsigned>(inputs[i].size()));
      const double x = inputs[i][at], step = 1e-6;
      inputs[i][at] = x + step;
      const double above = weighted(c, inputs, weights);
      inputs[i][at] = x - step;
      const double below = weighted(c, inputs, weights);
      inputs[i][at] = x;
      const double expected = (above - below) / (2 * step);
      INFO("input " << i << " element " << at << ": by differences " << expected << ", by grad() "
                    << result.gradients[i][at]);
      CHECK(std::abs(expected - result.gradients[i][at]) <= c.gradient_tolerance * largest);
    }
  }
}

bool same_bits(const CaseResult& a, const CaseResult& b) {
  for (std::size_t k = 0; k < a.outputs.size(); ++k)
    if (a.outputs[k].v != b.outputs[k].v) return false;
  for (std::size_t k = 0; k < a.gradients.size(); ++k)
    if (a.gradients[k].v != b.gradients[k].v) return false;
  return true;
}

}  // namespace

TEST_CASE("every op agrees with its naive reference, in value and gradient", "[ops]") {
  REQUIRE_FALSE(all_cases().empty());
  for (const OpCase& c : all_cases()) {
    if (c.bench_only) continue;
    DYNAMIC_SECTION(c.name) {
      const std::vector<Array> inputs = case_inputs(c, seed);
      bool differentiable = false;
      for (const CaseInput& i : c.inputs) differentiable |= i.gradient && !i.state;

      const CaseResult result = run_case(c, inputs, differentiable, seed);
      CHECK(result.guards_intact);
      CHECK(result.recomputed_same_bits);
      const std::vector<Array> expected = c.reference(inputs);
      REQUIRE(expected.size() == result.outputs.size());
      for (std::size_t k = 0; k < expected.size(); ++k) {
        INFO("output " << k);
        CHECK(relative_distance(result.outputs[k], expected[k]) <= c.tolerance);
      }
      if (differentiable) check_gradients(c, inputs, result);

      CHECK(same_bits(result,
                      run_case(c, inputs, differentiable, seed, {.share = false})));  // sharing memory changes nothing
      if (c.any_threads_same_bits) {
        const int threads = omp_get_max_threads();
        for (const int n : {1, 3}) {
          omp_set_num_threads(n);
          CHECK(same_bits(result, run_case(c, inputs, differentiable, seed)));
        }
        omp_set_num_threads(threads);
      }
    }
  }
}
