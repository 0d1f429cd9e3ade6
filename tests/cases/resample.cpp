#include <cmath>
#include <limits>

#include "graph/ops.h"
#include "tests/support/op_case.h"

namespace ipa::test {
namespace {

using Arrays = std::vector<Array>;
using ValueList = std::vector<Value>;

Array naive_max_pool(const Array& x) {
  Array y({x.shape.n, x.shape.h / 2, x.shape.w / 2, x.shape.c}, -std::numeric_limits<double>::infinity());
  for (std::int64_t n = 0; n < x.shape.n; ++n)
    for (std::int64_t i = 0; i < x.shape.h; ++i)
      for (std::int64_t j = 0; j < x.shape.w; ++j)
        for (std::int64_t c = 0; c < x.shape.c; ++c)
          y.at(n, i / 2, j / 2, c) = std::max(y.at(n, i / 2, j / 2, c), x.at(n, i, j, c));
  return y;
}

Array naive_nearest(const Array& x) {
  Array y({x.shape.n, 2 * x.shape.h, 2 * x.shape.w, x.shape.c});
  for (std::int64_t n = 0; n < y.shape.n; ++n)
    for (std::int64_t i = 0; i < y.shape.h; ++i)
      for (std::int64_t j = 0; j < y.shape.w; ++j)
        for (std::int64_t c = 0; c < y.shape.c; ++c) y.at(n, i, j, c) = x.at(n, i / 2, j / 2, c);
  return y;
}

// PyTorch's definition: the source coordinate (o + 0.5) / 2 - 0.5, not below 0, between its two neighbours.
struct Source {
  std::int64_t low, high;
  double weight;  // of high
  Source(std::int64_t o, std::int64_t size) {
    const double at = std::max(0.0, (static_cast<double>(o) + 0.5) / 2 - 0.5);
    low = static_cast<std::int64_t>(at);
    high = std::min(low + 1, size - 1);
    weight = at - static_cast<double>(low);
  }
};

Array naive_bilinear(const Array& x) {
  Array y({x.shape.n, 2 * x.shape.h, 2 * x.shape.w, x.shape.c});
  for (std::int64_t n = 0; n < y.shape.n; ++n)
    for (std::int64_t i = 0; i < y.shape.h; ++i)
      for (std::int64_t j = 0; j < y.shape.w; ++j)
        for (std::int64_t c = 0; c < y.shape.c; ++c) {
          const Source v(i, x.shape.h), h(j, x.shape.w);
          y.at(n, i, j, c) =
              (1 - v.weight) * ((1 - h.weight) * x.at(n, v.low, h.low, c) + h.weight * x.at(n, v.low, h.high, c)) +
              v.weight * ((1 - h.weight) * x.at(n, v.high, h.low, c) + h.weight * x.at(n, v.high, h.high, c));
        }
  return y;
}

OpCase make(const char* name, Value (*op)(Value), Array (*naive)(const Array&), const Shape& x) {
  return {.name = std::string("resample: ") + name + " " + to_string(x),
          .inputs = {{.shape = x}},
          .build = [op](Graph&, const ValueList& in) { return ValueList{op(in[0])}; },
          .reference = [naive](const Arrays& in) { return Arrays{naive(in[0])}; }};
}

OpCase bench(OpCase c) {
  c.bench_only = true;
  return c;
}

const Register registered({
    make("max_pool2", max_pool2, naive_max_pool, {2, 6, 10, 17}),
    make("max_pool2", max_pool2, naive_max_pool, {1, 2, 2, 1}),
    make("max_pool2", max_pool2, naive_max_pool, {3, 14, 18, 51}),
    bench(make("max_pool2", max_pool2, naive_max_pool, {4, 256, 256, 51})),
    bench(make("max_pool2", max_pool2, naive_max_pool, {4, 32, 32, 426})),
    make("upsample_nearest2", upsample_nearest2, naive_nearest, {2, 3, 5, 17}),
    make("upsample_nearest2", upsample_nearest2, naive_nearest, {1, 1, 1, 3}),
    make("upsample_nearest2", upsample_nearest2, naive_nearest, {3, 11, 7, 26}),
    bench(make("upsample_nearest2", upsample_nearest2, naive_nearest, {4, 128, 128, 64})),
    make("upsample_bilinear2", upsample_bilinear2, naive_bilinear, {2, 3, 5, 9}),
    make("upsample_bilinear2", upsample_bilinear2, naive_bilinear, {1, 1, 1, 1}),
    make("upsample_bilinear2", upsample_bilinear2, naive_bilinear, {1, 2, 1, 3}),
    make("upsample_bilinear2", upsample_bilinear2, naive_bilinear, {3, 11, 7, 26}),
    bench(make("upsample_bilinear2", upsample_bilinear2, naive_bilinear, {4, 128, 128, 64})),
});

}  // namespace
}  // namespace ipa::test
