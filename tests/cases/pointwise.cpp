#include <cmath>

#include "graph/ops.h"
#include "tests/support/op_case.h"

namespace ipa::test {
namespace {

using Arrays = std::vector<Array>;
using ValueList = std::vector<Value>;

OpCase activation_case(const char* name, Activation a, double (*f)(double)) {
  return {.name = std::string("pointwise: ") + name,
          .inputs = {{.shape = {2, 5, 7, 3}, .low = -3, .high = 3}},
          .build = [a](Graph&, const ValueList& in) { return ValueList{activation(in[0], a)}; },
          .reference = [f](const Arrays& in) { return Arrays{map(in[0], f)}; }};
}

Array sum(const Array& a, const Array& b) {
  Array y(a.shape);
  for (std::int64_t i = 0; i < y.size(); ++i) y[i] = a[i] + b[i];
  return y;
}

OpCase add_case(const std::string& name, const Shape& x) {
  return {.name = "pointwise: " + name,
          .inputs = {{.shape = x}, {.shape = x}},
          .build = [](Graph&, const ValueList& in) { return ValueList{add(in[0], in[1])}; },
          .reference = [](const Arrays& in) { return Arrays{sum(in[0], in[1])}; }};
}

OpCase bench(OpCase c, const Shape& x) {
  for (CaseInput& i : c.inputs) i.shape = x;
  c.name += " " + to_string(x);
  c.bench_only = true;
  return c;
}

const Register registered({
    activation_case("relu", relu_activation, [](double x) { return x > 0 ? x : 0; }),
    activation_case("leaky relu", leaky_relu_activation(0.2f), [](double x) { return x > 0 ? x : double{0.2f} * x; }),
    activation_case("tanh", tanh_activation, [](double x) { return std::tanh(x); }),
    activation_case("sigmoid", sigmoid_activation, [](double x) { return 1 / (1 + std::exp(-x)); }),
    add_case("add", {1, 3, 3, 5}),
    {.name = "pointwise: a value used twice gets the sum of both gradients",
     .inputs = {{.shape = {1, 2, 2, 1}}},
     .build = [](Graph&, const ValueList& in) { return ValueList{add(activation(in[0], tanh_activation), in[0])}; },
     .reference =
         [](const Arrays& in) { return Arrays{sum(map(in[0], [](double x) { return std::tanh(x); }), in[0])}; }},
    {.name = "pointwise: clip",
     .inputs = {{.shape = {1, 4, 4, 2}, .low = -2, .high = 2}},
     .build = [](Graph&, const ValueList& in) { return ValueList{clip(in[0], -1, 1)}; },
     .reference =
         [](const Arrays& in) {
           return Arrays{map(in[0], [](double x) { return std::min(1.0, std::max(-1.0, x)); })};
         }},
    {.name = "pointwise: scale by a scalar value",
     .inputs = {{.shape = {1, 4, 4, 2}}, {.shape = scalar_shape, .gradient = false, .exact = true}},
     .build = [](Graph&, const ValueList& in) { return ValueList{scale(in[0], in[1], 3)}; },
     .reference = [](const Arrays& in) { return Arrays{map(in[0], [&](double x) { return 3 * in[1][0] * x; })}; }},
    bench(add_case("add", {}), {4, 256, 256, 51}),
    bench(activation_case("leaky relu", leaky_relu_activation(0.2f),
                          [](double x) { return x > 0 ? x : double{0.2f} * x; }),
          {4, 128, 128, 64}),
    bench(activation_case("tanh", tanh_activation, [](double x) { return std::tanh(x); }), {4, 256, 256, 1}),
});

}  // namespace
}  // namespace ipa::test
