#include "graph/ops.h"
#include "tests/support/op_case.h"

namespace ipa::test {
namespace {

using Arrays = std::vector<Array>;
using ValueList = std::vector<Value>;

OpCase add_case(const std::string& name, const Shape& x) {
  return {.name = "bias: add, " + name,
          .inputs = {{.shape = x}, {.shape = vector_shape(x.c), .exact = true}},
          .build = [](Graph&, const ValueList& in) { return ValueList{add_bias(in[0], in[1])}; },
          .reference =
              [](const Arrays& in) {
                Array y = in[0];
                for (std::int64_t i = 0; i < y.size(); ++i) y[i] += in[1][i % y.shape.c];
                return Arrays{y};
              }};
}

OpCase sum_case(const std::string& name, const Shape& x) {
  return {.name = "bias: sum over pixels, " + name,
          .inputs = {{.shape = x}},
          .build = [](Graph&, const ValueList& in) { return ValueList{sum_pixels(in[0])}; },
          .reference =
              [](const Arrays& in) {
                Array y(vector_shape(in[0].shape.c));
                for (std::int64_t i = 0; i < in[0].size(); ++i) y[i % y.size()] += in[0][i];
                return Arrays{y};
              }};
}

OpCase bench(OpCase c) {
  c.bench_only = true;
  return c;
}

const Register registered({
    add_case("3 channels", {2, 4, 5, 3}),
    add_case("one pixel, 17 channels", {1, 1, 1, 17}),
    add_case("26 channels, several blocks", {2, 31, 23, 26}),
    add_case("more channels than a block of threads takes", {1, 3, 2, 2061}),
    sum_case("more channels than a block of threads takes", {1, 3, 5, 2061}),
    sum_case("853 channels, more blocks than are added at once", {1, 23, 23, 853}),
    sum_case("1 channel, two blocks", {2, 67, 63, 1}),
    sum_case("17 channels, off the block", {3, 37, 41, 17}),
    sum_case("one pixel", {1, 1, 1, 8}),
    bench(add_case("up9", {4, 256, 256, 32})),
    bench(sum_case("up9", {4, 256, 256, 32})),
    bench(sum_case("one channel", {4, 256, 256, 1})),
});

}  // namespace
}  // namespace ipa::test
