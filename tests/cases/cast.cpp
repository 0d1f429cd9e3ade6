#include "graph/ops.h"
#include "tests/support/op_case.h"

namespace ipa::test {
namespace {

using Arrays = std::vector<Array>;
using ValueList = std::vector<Value>;

Array sum(const Array& a, const Array& b) {
  Array y(b.shape);
  for (std::int64_t i = 0; i < y.size(); ++i) y[i] = a[i] + b[i];
  return y;
}

// The first input is f32 whatever the activations' type is, which the second one tells.
OpCase cast_case(const Shape& shape) {
  return {.name = "cast: there and back " + to_string(shape),
          .inputs = {{.shape = shape, .exact = true}, {.shape = shape}},
          .build =
              [](Graph&, const ValueList& in) {
                const Value y = add(cast(in[0], in[1].spec().dtype), in[1]);
                return ValueList{y, cast(y, DType::f32)};
              },
          .reference =
              [](const Arrays& in) {
                const Array y = sum(in[0], in[1]);
                return Arrays{y, y};
              }};
}

// Weights are padded by whole filters too, which pointwise ops know nothing of.
OpCase weights_case(const Shape& shape) {
  return {.name = "cast: weights " + to_string(shape),
          .inputs = {{.shape = shape, .gradient = false, .exact = true, .filter = true},
                     {.shape = scalar_shape, .gradient = false}},
          .build =
              [](Graph&, const ValueList& in) {
                const Value y = cast(in[0], in[1].spec().dtype);
                return ValueList{y, cast(y, DType::f32)};
              },
          .reference =
              [](const Arrays& in) {
                return Arrays{in[0], in[0]};
              }};
}

OpCase rows_case(std::int64_t n, std::int64_t h, std::int64_t w) {
  const Shape rows{n, h, 1, w}, image{n, h, w, 1};
  return {.name = "cast: rows and image " + to_string(image),
          .inputs = {{.shape = rows, .exact = true}, {.shape = image}},
          .build =
              [](Graph&, const ValueList& in) {
                const Value x = rows_to_image(in[0], in[1].spec().dtype);
                return ValueList{x, image_to_rows(add(x, in[1]))};
              },
          .reference =
              [rows](const Arrays& in) {
                Array x = in[0], back = sum(in[0], in[1]);
                x.shape = in[1].shape;
                back.shape = rows;
                return Arrays{x, back};
              }};
}

OpCase rows_bench(std::int64_t n, std::int64_t side) {
  return {.name = "cast: bench rows and image",
          .inputs = {{.shape = {n, side, 1, side}, .exact = true}, {.shape = {n, side, side, 1}}},
          .build =
              [](Graph&, const ValueList& in) {
                return ValueList{rows_to_image(in[0], in[1].spec().dtype), image_to_rows(in[1])};
              },
          .bench_only = true};
}

const Register registered({
    cast_case({1, 1, 1, 1}),
    cast_case({2, 5, 7, 3}),
    cast_case({1, 3, 3, 8}),
    cast_case({3, 9, 11, 17}),
    cast_case({1, 2, 3, 264}),
    weights_case({3, 3, 3, 5}),
    rows_case(1, 1, 8),
    rows_case(2, 5, 24),
    rows_case(1, 1, 2048),  // one tile of the device code
    rows_case(2, 33, 64),   // three, the last one in part
    rows_bench(16, 256),
});

}  // namespace
}  // namespace ipa::test
