#include <cmath>

#include "graph/ops.h"
#include "tests/support/naive_batch_norm.h"
#include "tests/support/op_case.h"

namespace ipa::test {
namespace {

using Arrays = std::vector<Array>;
using ValueList = std::vector<Value>;

constexpr float eps = 1e-3f, momentum = 0.1f;

double naive_activation(double x, const Activation& a) {
  if (a.kind == Activation::Kind::tanh) return std::tanh(x);
  if (a.kind == Activation::Kind::sigmoid) return 1 / (1 + std::exp(-x));
  return x > 0 || a.kind == Activation::Kind::none ? x : a.kind == Activation::Kind::relu ? 0 : x * double{a.slope};
}

// Inputs: x, beta, running mean, running variance, gamma or nothing.
OpCase norm_case(const std::string& name, const Shape& x, bool gamma, Activation a, double low = -1, double high = 1) {
  const Shape vector = vector_shape(x.c);
  OpCase c{
      .name = "batch_norm: " + name,
      .inputs = {{.shape = x, .low = low, .high = high},
                 {.shape = vector, .exact = true},
                 {.shape = vector, .state = true},
                 {.shape = vector, .low = 0.5, .high = 2, .state = true}},
      .build =
          [a](Graph&, const ValueList& in) {
            return ValueList{batch_norm(in[0],
                                        {.gamma = in.size() > 4 ? in[4] : Value{},
                                         .beta = in[1],
                                         .running_mean = in[2],
                                         .running_var = in[3],
                                         .eps = eps,
                                         .momentum = momentum},
                                        a)};
          },
      .reference =
          [a](const Arrays& in) {
            const NaiveBatchNorm r =
                naive_batch_norm(in[0], in.size() > 4 ? &in[4] : nullptr, in[1], in[2], in[3], eps, momentum);
            return Arrays{map(r.y, [&](double v) { return naive_activation(v, a); }), r.running_mean, r.running_var};
          }};
  if (gamma) c.inputs.push_back({.shape = vector, .low = -2, .high = 2, .exact = true});
  return c;
}

OpCase with_tolerance(OpCase c, double tolerance, double gradient_tolerance) {
  c.tolerance = tolerance;
  c.gradient_tolerance = gradient_tolerance;
  return c;
}

OpCase bench(const Shape& x, Activation a) {
  OpCase c = norm_case("bench " + to_string(x), x, true, a);
  c.bench_only = true;
  return c;
}

OpCase affine_case(const Shape& x, Activation a) {
  return {.name = "affine: " + to_string(x),
          .inputs = {{.shape = x, .gradient = false},
                     {.shape = vector_shape(x.c), .gradient = false, .exact = true},
                     {.shape = vector_shape(x.c), .gradient = false, .exact = true}},
          .build = [a](Graph&, const ValueList& in) { return ValueList{affine(in[0], in[1], in[2], a)}; },
          .reference =
              [a](const Arrays& in) {
                Array y(in[0].shape);
                for (std::int64_t i = 0; i < y.size(); ++i)
                  y[i] = naive_activation(in[0][i] * in[1][i % y.shape.c] + in[2][i % y.shape.c], a);
                return Arrays{y};
              }};
}

OpCase affine_bench(const Shape& x) {
  OpCase c = affine_case(x, relu_activation);
  c.name = "affine: bench " + to_string(x);
  c.bench_only = true;
  return c;
}

const Register registered({
    norm_case("with gamma, 17 channels", {2, 9, 7, 17}, true, {}),
    norm_case("without gamma, relu, 8 channels", {2, 5, 6, 8}, false, relu_activation),
    norm_case("leaky relu, 3 channels, several blocks", {1, 90, 97, 3}, true, leaky_relu_activation(0.2f)),
    norm_case("one channel", {3, 5, 5, 1}, true, relu_activation),
    norm_case("64 channels", {2, 3, 3, 64}, true, {}),
    norm_case("wider than a piece of lanes, several blocks", {1, 9, 9, 853}, false, leaky_relu_activation(0.2f)),
    norm_case("tanh, 26 channels", {2, 7, 5, 26}, true, tanh_activation),
    norm_case("sigmoid, 51 channels, several blocks", {1, 21, 31, 51}, true, sigmoid_activation),
    norm_case("264 channels", {2, 5, 3, 264}, true, relu_activation),
    norm_case("more channels than a block of threads takes", {1, 5, 4, 2061}, true, relu_activation),
    norm_case("one pixel", {1, 1, 1, 5}, true, {}),
    norm_case("one pixel an image", {4, 1, 1, 513}, true, {}),
    // What an fp32 input leaves of the deviation 0.3 at 1000 is 1e-4 of it; the statistics must not lose more.
    with_tolerance(norm_case("mean large beside the deviation", {2, 40, 33, 8}, true, {}, 999.5, 1000.5), 1e-4, 5e-3),
    bench({4, 256, 256, 8}, relu_activation),
    bench({4, 256, 256, 51}, relu_activation),
    bench({4, 128, 128, 105}, relu_activation),
    bench({4, 16, 16, 853}, relu_activation),
    affine_case({2, 5, 7, 17}, relu_activation),
    affine_case({1, 33, 32, 65}, {}),
    affine_case({1, 5, 7, 51}, sigmoid_activation),
    affine_case({1, 3, 2, 2061}, tanh_activation),
    affine_case({1, 1, 1, 1}, leaky_relu_activation(0.1f)),
    affine_bench({4, 256, 256, 51}),
});

}  // namespace
}  // namespace ipa::test
