#include <algorithm>
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

// Pairs of several sizes in one list; `asked`: those whose loss is wanted.
OpCase l1_list_case(const std::string& name, const std::vector<Shape>& shapes, const std::vector<std::size_t>& asked) {
  OpCase c{.name = "losses: l1 list, " + name,
           .build =
               [=](Graph&, const ValueList& in) {
                 const auto middle = in.begin() + static_cast<std::ptrdiff_t>(shapes.size());
                 const ValueList all = l1_losses({in.begin(), middle}, {middle, in.end()});
                 ValueList wanted;
                 for (const std::size_t k : asked) wanted.push_back(all[k]);
                 return wanted;
               },
           .reference =
               [=](const Arrays& in) {
                 Arrays wanted;
                 for (const std::size_t k : asked) {
                   const Array &a = in[k], &b = in[shapes.size() + k];
                   double sum = 0;
                   for (std::int64_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
                   wanted.push_back(scalar(sum / static_cast<double>(a.size())));
                 }
                 return wanted;
               }};
  for (std::size_t i = 0; i < 2 * shapes.size(); ++i) {
    const std::size_t k = i % shapes.size();
    c.inputs.push_back({.shape = shapes[k], .gradient = std::count(asked.begin(), asked.end(), k) > 0});
  }
  return c;
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

OpCase weighted_sum_case(std::size_t terms) {
  OpCase c{.name = "losses: weighted sum of " + std::to_string(terms),
           .inputs = std::vector<CaseInput>(terms, {.shape = scalar_shape, .exact = true}),
           .build =
               [](Graph&, const ValueList& in) {
                 return ValueList{weighted_sum({in.begin(), in.end() - 1}, in.back())};
               },
           .reference =
               [](const Arrays& in) {
                 double sum = 0;
                 for (std::size_t i = 0; i + 1 < in.size(); ++i)
                   sum += in[i][0] * in.back()[static_cast<std::int64_t>(i)];
                 return Arrays{scalar(sum)};
               }};
  c.inputs.push_back({.shape = vector_shape(static_cast<std::int64_t>(terms)), .gradient = false, .exact = true});
  return c;
}

OpCase vgg_input_case(const Shape& x) {
  return {.name = "losses: vgg input " + to_string(x),
          .inputs = {{.shape = x}},
          .build = [](Graph&, const ValueList& in) { return ValueList{vgg_input(in[0])}; },
          .reference =
              [x](const Arrays& in) {
                const double mean[3] = {103.939, 116.779, 123.68};
                Array y({x.n, x.h, x.w, 3});
                for (std::int64_t i = 0; i < y.size(); ++i) y[i] = 127.5 * (in[0][i / 3] + 1) - mean[i % 3];
                return Arrays{y};
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
  return c;
}

const Register registered({
    bce_case("target 1", {2, 5, 6, 1}, 1),
    bce_case("target 0", {2, 5, 6, 1}, 0),
    bce_case("logits beyond exp's range", {1, 3, 3, 1}, 1, 300),
    bce_case("one element", scalar_shape, 0),
    bce_case("odd channels, several blocks", {2, 23, 29, 17}, 1),
    l1_case("off the block", {2, 91, 93, 1}),
    l1_case("17 channels", {1, 5, 3, 17}),
    l1_case("more groups of eight than the blocks have threads", {1, 512, 521, 1}),
    ties(),
    l1_list_case("an image and features", {{2, 9, 8, 1}, {2, 5, 3, 64}, {2, 3, 3, 17}, {1, 1, 1, 1}, {2, 33, 31, 26}},
                 {0, 1, 2, 3, 4}),
    l1_list_case("only some asked for", {{1, 3, 3, 8}, {1, 5, 4, 8}, {2, 1, 1, 51}}, {0, 2}),
    l1_list_case("more than one launch takes", std::vector<Shape>(11, {1, 2, 3, 5}), {0, 3, 7, 8, 10}),
    masked_case("one channel", {3, 9, 8, 1}, 0.5),
    masked_case("three channels", {2, 5, 6, 3}, 0.2),
    masked_case("17 channels, several blocks", {2, 23, 19, 17}, 0.5),
    masked_case("more images than warps in a block", {19, 3, 5, 1}, 0.3),
    masked_case("no holes at all", {2, 3, 3, 1}, 2),
    masked_case("an image without holes among others", {4, 1, 2, 1}, 0.3),
    weighted_sum_case(1),
    weighted_sum_case(3),
    weighted_sum_case(21),
    vgg_input_case({2, 5, 3, 1}),
    vgg_input_case({1, 37, 29, 1}),
    vgg_input_case({1, 1, 1, 1}),
    bench(bce_case("D_p score map", {4, 30, 30, 1}, 1)),
    bench(l1_case("D_p layer 1", {4, 128, 128, 64})),
    bench(l1_list_case("slices and D_p's layers",
                       {{4, 256, 256, 1}, {4, 128, 128, 64}, {4, 64, 64, 128}, {4, 32, 32, 256}, {4, 31, 31, 512}},
                       {0, 1, 2, 3, 4})),
    bench(l1_case("slices", {4, 256, 256, 1})),
    bench(masked_case("slices", {4, 256, 256, 1}, 0.9)),
    bench(vgg_input_case({4, 256, 256, 1})),
});

}  // namespace
}  // namespace ipa::test
