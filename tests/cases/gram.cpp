#include "graph/ops.h"
#include "tests/support/op_case.h"

namespace ipa::test {
namespace {

using Arrays = std::vector<Array>;
using ValueList = std::vector<Value>;

Array gram_reference(const Array& x) {
  const auto [n, h, w, channels] = x.shape;
  Array g({n, 1, channels, channels});
  for (std::int64_t b = 0; b < n; ++b)
    for (std::int64_t p = 0; p < h * w; ++p)
      for (std::int64_t i = 0; i < channels; ++i)
        for (std::int64_t j = 0; j < channels; ++j)
          g.at(b, 0, i, j) += x[(b * h * w + p) * channels + i] * x[(b * h * w + p) * channels + j] /
                              static_cast<double>(h * w * channels);
  return g;
}

// The product's order of sums is oneDNN's own and depends on the number of threads.
OpCase gram_case(const std::string& name, const Shape& x) {
  return {.name = "gram: " + name,
          .inputs = {{.shape = x, .low = -0.5}},
          .build = [](Graph&, const ValueList& in) { return ValueList{gram(in[0])}; },
          .reference = [](const Arrays& in) { return Arrays{gram_reference(in[0])}; },
          .any_threads_same_bits = false};
}

OpCase style_case(const std::string& name, const Shape& x) {
  return {.name = "gram: style loss, " + name,
          .inputs = {{.shape = x, .low = 0, .high = 2}, {.shape = x, .low = 0, .gradient = false}},
          .build = [](Graph&, const ValueList& in) { return ValueList{style_loss(in[0], in[1])}; },
          .reference =
              [](const Arrays& in) {
                const Array a = gram_reference(in[0]), b = gram_reference(in[1]);
                double sum = 0;
                for (std::int64_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
                return Arrays{Array(scalar_shape, sum / (4.0 * static_cast<double>(a.size())))};
              },
          .tolerance = 1e-5,  // a difference of two sums
          .any_threads_same_bits = false};
}

// Two inputs near 16, whose Gram matrices differ by a thousandth of what they are. The CPU subtracts two rounded sums.
OpCase large_target_case(const std::string& name, const Shape& x) {
  OpCase c = style_case(name, x);
  for (CaseInput& i : c.inputs) i.low = 15.5, i.high = 16.5;
  c.tolerance = 1e-3;
  return c;
}

OpCase identical_case(const std::string& name, const Shape& x) {
  return {.name = "gram: style loss, identical features, " + name,
          .inputs = {{.shape = x, .low = -1, .high = 2, .gradient = false}},
          .build = [](Graph&, const ValueList& in) { return ValueList{style_loss(in[0], in[0])}; },
          .reference = [](const Arrays&) { return Arrays{Array(scalar_shape, 0)}; },  // exactly
          .any_threads_same_bits = false};
}

OpCase bench(OpCase c) {
  c.bench_only = true;
  return c;
}

const Register registered({
    gram_case("8 channels", {2, 5, 7, 8}),
    gram_case("17 channels, fewer pixels than channels", {1, 3, 3, 17}),
    gram_case("one pixel, one channel", {3, 1, 1, 1}),
    gram_case("64 channels, several parts", {1, 29, 27, 64}),
    gram_case("200 channels", {1, 5, 9, 200}),
    style_case("8 channels", {2, 5, 7, 8}),
    style_case("17 channels", {3, 4, 4, 17}),
    style_case("one pixel", {1, 1, 1, 3}),
    style_case("many pixels", {1, 40, 33, 4}),
    style_case("64 channels, many pixels", {2, 19, 28, 64}),
    style_case("128 channels", {1, 8, 8, 128}),
    style_case("200 channels", {2, 3, 11, 200}),
    large_target_case("target larger than the difference", {2, 24, 24, 17}),
    large_target_case("one pixel, target larger than the difference", {1, 1, 1, 72}),
    identical_case("17 channels", {2, 7, 9, 17}),
    identical_case("72 channels", {1, 23, 23, 72}),
    bench(style_case("VGG 1_2", {4, 256, 256, 64})),
    bench(style_case("VGG 2_2", {4, 128, 128, 128})),
    bench(style_case("VGG 3_2", {4, 64, 64, 256})),
});

}  // namespace
}  // namespace ipa::test
