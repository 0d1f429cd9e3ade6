// What the cases cannot say of a convolution: a NaN must reach the output through every fused activation.
#include <catch2/catch.hpp>
#include <cmath>

#include "graph/ops.h"
#include "tests/support/run_case.h"

using namespace ipa;
using namespace ipa::test;

TEST_CASE("conv: a NaN stays a NaN through bias and activation", "[conv]") {
  for (const std::int64_t channels : {8, 64})  // NHWC and blocked
    for (const Activation a :
         {no_activation, relu_activation, leaky_relu_activation(0.2f), tanh_activation, sigmoid_activation}) {
      const OpCase c{.name = "nan",
                     .inputs = {{.shape = {1, 5, 5, channels}},
                                {.shape = {channels, 3, 3, channels}},
                                {.shape = vector_shape(channels)}},
                     .build = [a](Graph&, const std::vector<Value>& in) {
                       return std::vector<Value>{conv(in[0], in[1], in[2], {1, 1, 1}, a)};
                     }};
      std::vector<Array> inputs = case_inputs(c, 3);
      inputs[0].at(0, 1, 1, 5) = std::nan("");
      const Array y = run_case(c, inputs, false, 3).outputs[0];
      for (std::int64_t i = 0; i < 5; ++i)
        for (std::int64_t j = 0; j < 5; ++j)
          for (std::int64_t o = 0; o < channels; ++o) CHECK(std::isnan(y.at(0, i, j, o)) == (i <= 2 && j <= 2));
    }
}

TEST_CASE("conv: shapes that do not fit are refused by name", "[conv]") {
  Graph graph;
  const Value x = graph.input("x", {{1, 4, 4, 3}}), w = graph.input("w", {{8, 3, 3, 5}});
  CHECK_THROWS_WITH(conv(x, w, {}, {1, 1, 1}), Catch::Contains("conv s1 p1") && Catch::Contains("(1, 4, 4, 3)"));
  const Value large = graph.input("w", {{8, 7, 7, 3}});
  CHECK_THROWS_AS(conv(x, large, {}, {1, 1, 1}), Error);  // the kernel is larger than the padded image
  const Value good = graph.input("w", {{8, 3, 3, 3}});
  CHECK_THROWS_AS(conv(x, good, {}, {0, 1, 1}), Error);
}
