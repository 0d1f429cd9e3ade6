#include "graph/ops.h"
#include "tests/support/op_case.h"

namespace ipa::test {
namespace {

using Arrays = std::vector<Array>;
using ValueList = std::vector<Value>;

Array naive_concat(const Arrays& parts) {
  Shape s = parts[0].shape;
  s.c = 0;
  for (const Array& p : parts) s.c += p.shape.c;
  Array y(s);
  std::int64_t first = 0;
  for (const Array& p : parts) {
    for (std::int64_t row = 0; row < s.pixels(); ++row)
      for (std::int64_t c = 0; c < p.shape.c; ++c) y[row * s.c + first + c] = p[row * p.shape.c + c];
    first += p.shape.c;
  }
  return y;
}

std::string widths_text(const std::vector<std::int64_t>& widths) {
  std::string text = "widths";
  for (const std::int64_t w : widths) text += " " + std::to_string(w);
  return text;
}

OpCase concat_case(const Shape& pixels, std::vector<std::int64_t> widths, bool bench = false) {
  OpCase c{.name = "concat: " + std::string(bench ? "bench " : "") + to_string(pixels) + ", " + widths_text(widths),
           .build = [](Graph&, const ValueList& in) { return ValueList{concat(in)}; },
           .reference = [](const Arrays& in) { return Arrays{naive_concat(in)}; },
           .bench_only = bench};
  for (const std::int64_t w : widths) c.inputs.push_back({.shape = {pixels.n, pixels.h, pixels.w, w}});
  return c;
}

OpCase slice_case(const Shape& x, std::int64_t first, std::int64_t count, bool bench = false) {
  return {.name = "concat: slice " + std::to_string(first) + " + " + std::to_string(count) + " of " + to_string(x),
          .inputs = {{.shape = x}},
          .build = [=](Graph&, const ValueList& in) { return ValueList{slice_channels(in[0], first, count)}; },
          .reference =
              [=](const Arrays& in) {
                Array y({x.n, x.h, x.w, count});
                for (std::int64_t row = 0; row < x.pixels(); ++row)
                  for (std::int64_t c = 0; c < count; ++c) y[row * count + c] = in[0][row * x.c + first + c];
                return Arrays{y};
              },
          .bench_only = bench};
}

const Register registered({
    concat_case({2, 5, 7, 0}, {8, 17, 26}),
    concat_case({1, 1, 1, 0}, {1, 1}),
    concat_case({1, 40, 41, 0}, {3}),
    concat_case({2, 7, 9, 0}, {32, 24}),
    concat_case({2, 7, 9, 0}, {16, 51}),
    concat_case({1, 13, 29, 0}, {1, 8, 17, 3, 264}),
    concat_case({1, 2, 3, 0}, {1, 1, 2, 1, 1, 3, 1, 9}),
    concat_case({4, 256, 256, 0}, {32, 32}, true),
    concat_case({4, 256, 256, 0}, {1, 1}, true),
    concat_case({4, 32, 32, 0}, {256, 256}, true),
    slice_case({2, 5, 7, 17}, 3, 8),
    slice_case({1, 3, 3, 5}, 0, 5),
    slice_case({1, 1, 1, 3}, 2, 1),
    slice_case({2, 9, 7, 51}, 16, 35),
    slice_case({2, 9, 7, 51}, 16, 17),
    slice_case({3, 19, 17, 26}, 9, 16),
    slice_case({1, 5, 3, 272}, 7, 264),
    slice_case({4, 256, 256, 64}, 32, 32, true),
});

}  // namespace
}  // namespace ipa::test
