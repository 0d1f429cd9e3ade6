#include <cmath>

#include "graph/ops.h"
#include "tests/support/op_case.h"

namespace ipa::test {
namespace {

using Arrays = std::vector<Array>;
using ValueList = std::vector<Value>;

double as_nan(double) { return std::nan(""); }
double as_zero(double) { return 0; }
double as_infinity(double) { return INFINITY; }
double positive(double x) { return std::abs(x); }

// States p, m, v; inputs gradient, rates, enabled.
OpCase adam_case(const std::string& name, std::int64_t count, double enabled,
                 std::function<double(double)> gradient = {}) {
  const AdamAttributes a{.beta1 = 0.5};
  const Shape shape = vector_shape(count);
  return {.name = "adam: " + name,
          .inputs = {{.shape = shape, .gradient = false, .state = true},
                     {.shape = shape, .gradient = false, .state = true},
                     {.shape = shape, .gradient = false, .state = true, .map = positive},
                     {.shape = shape, .gradient = false, .map = std::move(gradient), .exact = true},
                     {.shape = vector_shape(2), .low = 0.01, .high = 2, .gradient = false, .exact = true},
                     {.shape = scalar_shape, .gradient = false, .map = [=](double) { return enabled; }, .exact = true}},
          .build =
              [a](Graph&, const ValueList& in) {
                adam(in[0], in[1], in[2], in[3], in[4], in[5], a);
                return ValueList{};
              },
          .reference =
              [=](const Arrays& in) {
                Array p = in[0], m = in[1], v = in[2];
                for (std::int64_t i = 0; i < count && enabled > 0; ++i) {
                  const double g = in[3][i];
                  m[i] = a.beta1 * m[i] + (1 - a.beta1) * g;
                  v[i] = a.beta2 * v[i] + (1 - a.beta2) * g * g;
                  p[i] -= in[4][0] * m[i] / (std::sqrt(v[i]) * in[4][1] + a.eps);
                }
                return Arrays{p, m, v};
              },
          .tolerance = enabled > 0 ? 2e-6 : 0.0};
}

// Inputs lr, enabled; state updates.
OpCase rates_case(const std::string& name, double updates, double enabled) {
  const AdamAttributes a{.beta1 = 0.5};
  return {.name = "adam: rates, " + name,
          .inputs = {{.shape = scalar_shape, .low = 1e-4, .high = 1e-3, .gradient = false, .exact = true},
                     {.shape = scalar_shape, .gradient = false, .state = true, .map = [=](double) { return updates; }},
                     {.shape = scalar_shape, .gradient = false, .map = [=](double) { return enabled; }, .exact = true}},
          .build = [a](Graph&, const ValueList& in) { return ValueList{adam_rates(in[0], in[1], in[2], a)}; },
          .reference =
              [=](const Arrays& in) {
                Array rates(vector_shape(2));
                rates[0] = in[0][0] / (1 - std::pow(a.beta1, updates + 1));
                rates[1] = 1 / std::sqrt(1 - std::pow(a.beta2, updates + 1));
                return Arrays{rates, Array(scalar_shape, enabled > 0 ? updates + 1 : updates)};
              },
          .tolerance = 1e-7};
}

OpCase finite_case(const std::string& name, std::function<double(double)> second, double previous, double expected) {
  return {
      .name = "adam: all finite, " + name,
      .inputs = {{.shape = scalar_shape, .gradient = false, .exact = true},
                 {.shape = scalar_shape, .gradient = false, .map = std::move(second), .exact = true},
                 {.shape = scalar_shape, .gradient = false, .map = [=](double) { return previous; }, .exact = true}},
      .build =
          [](Graph&, const ValueList& in) {
            return ValueList{all_finite({in[0], in[1]}), all_finite({in[0], in[1]}, in[2])};
          },
      .reference =
          [=](const Arrays& in) {
            return Arrays{Array(scalar_shape, std::isfinite(in[1][0]) ? 1 : 0), Array(scalar_shape, expected)};
          },
      .tolerance = 0};
}

OpCase norm_case(const std::string& name, const Shape& x) {
  return {.name = "adam: squared norm, " + name,
          .inputs = {{.shape = x}},
          .build = [](Graph&, const ValueList& in) { return ValueList{squared_norm(in[0])}; },
          .reference =
              [](const Arrays& in) {
                double sum = 0;
                for (const double v : in[0].v) sum += v * v;
                return Arrays{Array(scalar_shape, sum)};
              }};
}

OpCase bench(OpCase c) {
  c.bench_only = true;
  return c;
}

const Register registered({
    adam_case("off the block", 20003, 1),
    adam_case("a zero gradient", 8, 1, as_zero),
    adam_case("disabled, no byte moves", 1003, 0),
    adam_case("disabled, with a NaN gradient", 17, 0, as_nan),
    adam_case("disabled by a NaN", 17, std::nan("")),
    rates_case("of the first update", 0, 1),
    rates_case("of the 1000th", 999, 1),
    rates_case("disabled, no update is counted", 7, 0),
    rates_case("disabled by a NaN", 7, std::nan("")),
    finite_case("yes", {}, 1, 1),
    finite_case("not a NaN", as_nan, 1, 0),
    finite_case("not an infinity", as_infinity, 1, 0),
    finite_case("not if it was not before", {}, 0, 0),
    norm_case("off the block", {1, 131, 129, 3}),
    norm_case("one element", scalar_shape),
    norm_case("a flat buffer", vector_shape(20016)),
    bench(adam_case("the cascade's 14.5 M parameters", 14475964, 1)),
    bench(norm_case("the cascade's 14.5 M gradients", vector_shape(14475964))),
});

}  // namespace
}  // namespace ipa::test
