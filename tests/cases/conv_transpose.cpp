#include "graph/ops.h"
#include "tests/support/conv_reference.h"
#include "tests/support/op_case.h"

namespace ipa::test {
namespace {

using Arrays = std::vector<Array>;
using ValueList = std::vector<Value>;

OpCase transpose_case(const std::string& name, const Shape& x, const Shape& w, const Shape& y, ConvAttributes t) {
  return {.name = "conv_transpose: " + name,
          .inputs = {{.shape = x}, {.shape = w, .filter = true}, {.shape = vector_shape(w.c), .exact = true}},
          .build = [=](Graph&, const ValueList& in) { return ValueList{conv_transpose(in[0], in[1], in[2], t)}; },
          .reference =
              [=](const Arrays& in) {
                Array result = dgrad_reference(in[0], in[1], y, t);
                for (std::int64_t i = 0; i < result.size(); ++i) result[i] += in[2][i % w.c];
                return Arrays{result};
              }};
}

OpCase bench_case(const std::string& name, const Shape& x, const Shape& w) {
  OpCase c = transpose_case(name, x, w, {x.n, 2 * x.h, 2 * x.w, w.c}, {2, 0, 1});
  c.bench_only = true;
  return c;
}

const Register registered({
    transpose_case("2x2 stride 2", {2, 3, 5, 53}, {53, 2, 2, 32}, {2, 6, 10, 32}, {2, 0, 1}),
    transpose_case("2x2 stride 2, 105 to 32 channels", {1, 4, 3, 105}, {105, 2, 2, 32}, {1, 8, 6, 32}, {2, 0, 1}),
    transpose_case("2x2 stride 2 of one pixel", {1, 1, 1, 17}, {17, 2, 2, 3}, {1, 2, 2, 3}, {2, 0, 1}),
    transpose_case("4x4 stride 2 padding 1", {1, 3, 4, 8}, {8, 4, 4, 5}, {1, 6, 8, 5}, {2, 1, 1}),
    transpose_case("3x3 dilation 2", {1, 4, 4, 6}, {6, 3, 3, 4}, {1, 8, 8, 4}, {1, 0, 2}),
    bench_case("up6 853 to 256 @32", {4, 16, 16, 853}, {853, 2, 2, 256}),
    bench_case("up7 426 to 128 @64", {4, 32, 32, 426}, {426, 2, 2, 128}),
    bench_case("up8 212 to 64 @128", {4, 64, 64, 212}, {212, 2, 2, 64}),
    bench_case("up9 105 to 32 @256", {4, 128, 128, 105}, {105, 2, 2, 32}),
});

}  // namespace
}  // namespace ipa::test
