// Runs the device code of every op, under the emulator (test_emulated_ops) or on a GPU (test_cuda_ops), on the cases
// that test the CPU's. `test_emulated_ops "[ops]" -c <case name>` runs one; the environment's IPA_CASES, a part of
// their names, selects some.
#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/support/device_under_test.h"
#include "tests/support/run_case.h"

using namespace ipa;
using namespace ipa::test;

namespace {

constexpr unsigned seed = 17;

bool same_bits(const std::vector<Array>& a, const std::vector<Array>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t k = 0; k < a.size(); ++k)
    if (a[k].v != b[k].v) return false;
  return true;
}

void check_close(const char* what, const std::vector<Array>& ours, const std::vector<Array>& expected,
                 double tolerance) {
  REQUIRE(ours.size() == expected.size());
  for (std::size_t k = 0; k < ours.size(); ++k) {
    INFO(what << " " << k);
    CHECK(relative_distance(ours[k], expected[k]) <= tolerance);
  }
}

void check_case(const OpCase& c, DType activations, double tolerance) {
  bool differentiable = false;
  for (const CaseInput& i : c.inputs) differentiable |= i.gradient && !i.state;
  const std::vector<Array> inputs = case_inputs(c, seed, activations);
  const CaseResult cpu = run_case(c, inputs, differentiable, seed);

  set_schedule(0);
  const RunOptions options{.device = device_under_test, .activations = activations, .runs = 3};
  const CaseResult emulated = run_case(c, inputs, differentiable, seed, options);
  CHECK(emulated.guards_intact);
  CHECK(emulated.recomputed_same_bits);
  CHECK(emulated.padding_zero);
  check_close("output", emulated.outputs, c.reference(inputs), std::max(tolerance, c.tolerance));
  check_close("gradient", emulated.gradients, cpu.gradients, std::max(tolerance, c.tolerance));

  for (const unsigned schedule : {1, 2}) {
    INFO("schedule " << schedule);
    set_schedule(schedule);
    const CaseResult again = run_case(c, inputs, differentiable, seed,
                                      {.share = false, .device = device_under_test, .activations = activations});
    CHECK(same_bits(again.outputs, emulated.outputs));
    CHECK(same_bits(again.gradients, emulated.gradients));
  }
  set_schedule(0);
}

}  // namespace

TEST_CASE("the device code of every op agrees with its naive reference and the CPU's gradients", "[ops]") {
  const char* chosen = std::getenv("IPA_CASES");
  for (const OpCase& c : all_cases()) {
    if (c.bench_only || (chosen && c.name.find(chosen) == std::string::npos)) continue;
    DYNAMIC_SECTION(c.name << ", fp32") { check_case(c, DType::f32, 1e-5); }
    DYNAMIC_SECTION(c.name << ", bf16") { check_case(c, DType::bf16, c.bf16_tolerance); }
  }
}
