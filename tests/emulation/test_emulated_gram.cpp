// What the cases of gram.cpp cannot ask of both backends: that the device's style loss is one sum over both images.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "graph/ops.h"
#include "tests/support/device_under_test.h"
#include "tests/support/run_case.h"

using namespace ipa;
using namespace ipa::test;

namespace {

constexpr unsigned seed = 5;

OpCase style_case(const std::string& name) {
  for (const OpCase& c : all_cases())
    if (c.name == "gram: style loss, " + name) return c;
  FAIL("no case " << name);
  return {};
}

double loss_distance(const OpCase& c, DType dtype) {
  const std::vector<Array> inputs = case_inputs(c, seed, dtype);
  const CaseResult result = run_case(c, inputs, false, seed, {.device = device_under_test, .activations = dtype});
  return relative_distance(result.outputs[0], c.reference(inputs)[0]);
}

}  // namespace

TEST_CASE("the style loss keeps its precision where the target is much larger than the difference") {
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const char* name :
         {"target larger than the difference", "one pixel, target larger than the difference", "128 channels"}) {
      INFO(name << ", " << to_string(dtype));
      CHECK(loss_distance(style_case(name), dtype) <= (dtype == DType::f32 ? 1e-6 : 1e-5));
    }
}

TEST_CASE("a NaN among the features or the target is one in the style loss") {
  const OpCase c = style_case("17 channels");
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const std::size_t input : {0, 1}) {
      std::vector<Array> inputs = case_inputs(c, seed, dtype);
      inputs[input][20] = std::numeric_limits<double>::quiet_NaN();
      const CaseResult result = run_case(c, inputs, false, seed, {.device = device_under_test, .activations = dtype});
      CHECK(std::isnan(result.outputs[0][0]));
    }
}
