#include <cmath>

#include "graph/ops.h"
#include "tests/support/op_case.h"

namespace ipa::test {
namespace {

using Arrays = std::vector<Array>;
using ValueList = std::vector<Value>;

double as_nan(double) { return std::nan(""); }
double positive(double x) { return std::abs(x); }

// States p, m, v; inputs g, rates, enabled. `t` is the step that the rates belong to.
OpCase adam_case(const std::string& name, std::int64_t count, double t, double enabled,
                 std::function<double(double)> gradient = {}) {
  const AdamAttributes a{.beta1 = 0.5};
  const double lr = 2e-2, first = lr / (1 - std::pow(a.beta1, t)), second = 1 / std::sqrt(1 - std::pow(a.beta2, t));
  const Shape shape = vector_shape(count);
  return {.name = "adam: " + name,
          .inputs = {{.shape = shape, .gradient = false, .state = true},
                     {.shape = shape, .gradient = false, .state = true},
                     {.shape = shape, .gradient = false, .state = true, .map = positive},
                     {.shape = shape, .gradient = false, .map = std::move(gradient)},
                     {.shape = vector_shape(1), .gradient = false, .map = [=](double) { return first; }},
                     {.shape = vector_shape(1), .gradient = false, .map = [=](double) { return second; }},
                     {.shape = scalar_shape, .gradient = false, .map = [=](double) { return enabled; }}},
          .build =
              [a](Graph&, const ValueList& in) {
                adam(in[0], in[1], in[2], in[3], concat({in[4], in[5]}), in[6], a);
                return ValueList{};
              },
          .reference =
              [=](const Arrays& in) {
                Array p = in[0], m = in[1], v = in[2];
                for (std::int64_t i = 0; i < count && enabled > 0; ++i) {
                  const double g = in[3][i];
                  m[i] = a.beta1 * m[i] + (1 - a.beta1) * g;
                  v[i] = a.beta2 * v[i] + (1 - a.beta2) * g * g;
                  p[i] -= first * m[i] / (std::sqrt(v[i]) * second + a.eps);
                }
                return Arrays{p, m, v};
              },
          .tolerance = enabled > 0 ? 2e-6 : 0.0};
}

const Register registered({
    adam_case("step 1", 1003, 1, 1),
    adam_case("step 10000", 17, 10000, 1),
    adam_case("a zero gradient", 8, 3, 1, [](double) { return 0.0; }),
    adam_case("disabled, no byte moves", 1003, 3, 0),
    adam_case("disabled, with a NaN gradient", 17, 3, 0, as_nan),
    {.name = "adam: squared norm, off the block",
     .inputs = {{.shape = {1, 131, 129, 3}}},
     .build = [](Graph&, const ValueList& in) { return ValueList{squared_norm(in[0])}; },
     .reference =
         [](const Arrays& in) {
           double sum = 0;
           for (const double v : in[0].v) sum += v * v;
           return Arrays{Array(scalar_shape, sum)};
         }},
});

}  // namespace
}  // namespace ipa::test
