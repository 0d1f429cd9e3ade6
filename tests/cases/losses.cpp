#include <cmath>

#include "graph/ops.h"
#include "tests/support/op_case.h"

namespace ipa::test {
namespace {

using Arrays = std::vector<Array>;
using ValueList = std::vector<Value>;

Array scalar(double value) { return Array(scalar_shape, value); }
double steps(double x) { return std::round(2 * x) / 2; }  // five values, so that many pairs tie

OpCase bce_case(const std::string& name, const Shape& z, float target, double range = 3) {
  return {.name = "losses: bce, " + name,
          .inputs = {{.shape = z, .low = -range, .high = range}},
          .build = [=](Graph&, const ValueList& in) { return ValueList{bce_with_logits(in[0], target)}; },
          .reference =
              [=](const Arrays& in) {
                double sum = 0;
                for (const double v : in[0].v)
                  sum += std::max(v, 0.0) - v * target + std::log1p(std::exp(-std::abs(v)));
                return Arrays{scalar(sum / static_cast<double>(in[0].size()))};
              }};
}

OpCase l1_case(const std::string& name, const Shape& x) {
  return {.name = "losses: l1, " + name,
          .inputs = {{.shape = x}, {.shape = x}},
          .build = [](Graph&, const ValueList& in) { return ValueList{l1_loss(in[0], in[1])}; },
          .reference =
              [](const Arrays& in) {
                double sum = 0;
                for (std::int64_t i = 0; i < in[0].size(); ++i) sum += std::abs(in[0][i] - in[1][i]);
                return Arrays{scalar(sum / static_cast<double>(in[0].size()))};
              }};
}

// Holes where the uniform number exceeds `threshold`.
OpCase masked_case(const std::string& name, const Shape& x, double threshold) {
  return {.name = "losses: masked l1, " + name,
          .inputs = {{.shape = x},
                     {.shape = x},
                     {.shape = {x.n, x.h, x.w, 1},
                      .gradient = false,
                      .map = [=](double v) { return v > threshold ? 1.0 : 0.0; }}},
          .build = [](Graph&, const ValueList& in) { return ValueList{masked_l1_loss(in[0], in[1], in[2])}; },
          .reference =
              [x](const Arrays& in) {
                double total = 0;
                for (std::int64_t n = 0; n < x.n; ++n) {
                  double sum = 0, count = 0;
                  for (std::int64_t i = 0; i < x.h; ++i)
                    for (std::int64_t j = 0; j < x.w; ++j)
                      for (std::int64_t c = 0; c < x.c; ++c) {
                        sum += in[2].at(n, i, j, 0) * std::abs(in[0].at(n, i, j, c) - in[1].at(n, i, j, c));
                        count += in[2].at(n, i, j, 0);
                      }
                  total += count > 0 ? sum / count : 0;
                }
                return Arrays{scalar(total / static_cast<double>(x.n))};
              }};
}

OpCase ties() {
  OpCase c{.name = "losses: l1, where both are equal the gradient is 0",
           .inputs = {{.shape = {1, 4, 4, 3}, .map = steps}, {.shape = {1, 4, 4, 3}, .map = steps}},
           .build = l1_case("", {1, 4, 4, 3}).build,
           .reference = l1_case("", {1, 4, 4, 3}).reference};
  return c;  // the central difference of |x| at 0 is 0
}

OpCase bench(OpCase c) {
  c.bench_only = true;
  c.reference = {};
  return c;
}

const Register registered({
    bce_case("target 1", {2, 5, 6, 1}, 1),
    bce_case("target 0", {2, 5, 6, 1}, 0),
    bce_case("logits beyond exp's range", {1, 3, 3, 1}, 1, 300),
    bce_case("one element", scalar_shape, 0),
    l1_case("off the block", {2, 91, 93, 1}),
    l1_case("17 channels", {1, 5, 3, 17}),
    ties(),
    masked_case("one channel", {3, 9, 8, 1}, 0.5),
    masked_case("three channels", {2, 5, 6, 3}, 0.2),
    masked_case("no holes at all", {2, 3, 3, 1}, 2),
    masked_case("an image without holes among others", {4, 1, 2, 1}, 0.3),
    {.name = "losses: weighted sum",
     .inputs = {{.shape = scalar_shape, .exact = true},
                {.shape = scalar_shape, .exact = true},
                {.shape = scalar_shape, .exact = true},
                {.shape = vector_shape(3), .gradient = false, .exact = true}},
     .build =
         [](Graph&, const ValueList& in) {
           return ValueList{weighted_sum({in[0], in[1], in[2]}, in[3])};
         },
     .reference =
         [](const Arrays& in) {
           return Arrays{scalar(in[0][0] * in[3][0] + in[1][0] * in[3][1] + in[2][0] * in[3][2])};
         }},
    {.name = "losses: vgg input",
     .inputs = {{.shape = {2, 5, 3, 1}}},
     .build = [](Graph&, const ValueList& in) { return ValueList{vgg_input(in[0])}; },
     .reference =
         [](const Arrays& in) {
           const double mean[3] = {103.939, 116.779, 123.68};
           Array y({2, 5, 3, 3});
           for (std::int64_t i = 0; i < y.size(); ++i) y[i] = 127.5 * (in[0][i / 3] + 1) - mean[i % 3];
           return Arrays{y};
         }},
    bench(bce_case("D_p score map", {4, 30, 30, 1}, 1)),
    bench(l1_case("D_p layer 1", {4, 128, 128, 64})),
    bench(l1_case("slices", {4, 256, 256, 1})),
    bench(masked_case("slices", {4, 256, 256, 1}, 0.9)),
});

}  // namespace
}  // namespace ipa::test
