#include "tests/support/conv_reference.h"

namespace ipa::test {
namespace {

std::int64_t extent(std::int64_t size, std::int64_t kernel, ConvAttributes t) {
  return (size + 2 * t.pad - t.dilation * (kernel - 1) - 1) / t.stride + 1;
}

// f(n, v, u, i, j, r, s) for every output pixel (v, u) of row v, kernel tap (r, s) and the input pixel (i, j) it
// touches.
template <class F>
void for_each_tap_of_row(const Shape& x, const Shape& w, ConvAttributes t, std::int64_t n, std::int64_t v, F f) {
  for (std::int64_t u = 0; u < extent(x.w, w.w, t); ++u)
    for (std::int64_t r = 0; r < w.h; ++r)
      for (std::int64_t s = 0; s < w.w; ++s) {
        const std::int64_t i = v * t.stride - t.pad + r * t.dilation, j = u * t.stride - t.pad + s * t.dilation;
        if (i >= 0 && i < x.h && j >= 0 && j < x.w) f(n, v, u, i, j, r, s);
      }
}

template <class F>
void for_each_tap(const Shape& x, const Shape& w, ConvAttributes t, F f) {
  for (std::int64_t n = 0; n < x.n; ++n)
    for (std::int64_t v = 0; v < extent(x.h, w.h, t); ++v) for_each_tap_of_row(x, w, t, n, v, f);
}

}  // namespace

Array conv_reference(const Array& x, const Array& w, const Array& bias, ConvAttributes t) {
  Array y({x.shape.n, extent(x.shape.h, w.shape.h, t), extent(x.shape.w, w.shape.w, t), w.shape.n});
  for (std::int64_t i = 0; i < y.size(); ++i) y[i] = bias[i % w.shape.n];
  // Filters last, so that the sums of all filters go on side by side; bench_ops comes here with the real sizes.
  Array turned({w.shape.h, w.shape.w, w.shape.c, w.shape.n});
  for (std::int64_t o = 0; o < w.shape.n; ++o)
    for (std::int64_t i = 0; i < w.size() / w.shape.n; ++i)
      turned[i * w.shape.n + o] = w[o * (w.size() / w.shape.n) + i];
#pragma omp parallel for
  for (std::int64_t row = 0; row < y.shape.n * y.shape.h; ++row)
    for_each_tap_of_row(x.shape, w.shape, t, row / y.shape.h, row % y.shape.h,
                        [&](auto n, auto v, auto u, auto i, auto j, auto r, auto s) {
                          double* sums = &y.at(n, v, u, 0);
                          for (std::int64_t c = 0; c < w.shape.c; ++c) {
                            const double value = x.at(n, i, j, c);
                            const double* filters = &turned.at(r, s, c, 0);
                            for (std::int64_t o = 0; o < w.shape.n; ++o) sums[o] += value * filters[o];
                          }
                        });
  return y;
}

Array dgrad_reference(const Array& dy, const Array& w, const Shape& x_shape, ConvAttributes t) {
  Array dx(x_shape);
  for_each_tap(x_shape, w.shape, t, [&](auto n, auto v, auto u, auto i, auto j, auto r, auto s) {
    for (std::int64_t o = 0; o < w.shape.n; ++o)
      for (std::int64_t c = 0; c < w.shape.c; ++c) dx.at(n, i, j, c) += dy.at(n, v, u, o) * w.at(o, r, s, c);
  });
  return dx;
}

Array wgrad_reference(const Array& x, const Array& dy, const Shape& w_shape, ConvAttributes t) {
  Array dw(w_shape);
  for_each_tap(x.shape, w_shape, t, [&](auto n, auto v, auto u, auto i, auto j, auto r, auto s) {
    for (std::int64_t o = 0; o < w_shape.n; ++o)
      for (std::int64_t c = 0; c < w_shape.c; ++c) dw.at(o, r, s, c) += x.at(n, i, j, c) * dy.at(n, v, u, o);
  });
  return dw;
}

}  // namespace ipa::test
