#include "kernels/pointwise.h"

#include "kernels/parallel.h"

namespace ipa {
namespace {

// y[i] = f(a[i], b[i]); the compiler vectorises the inner loop.
template <class F>
void map(const Tensor& y, const Tensor& a, const Tensor& b, F f) {
  require(y.packed() && a.packed() && b.packed() && y.shape == a.shape && y.shape == b.shape,
          "pointwise: shapes differ");
  float* py = y.f32();
  const float *pa = a.f32(), *pb = b.f32();
  parallel_range(y.elements(), [=](std::int64_t first, std::int64_t last) {
    F g = f;  // its constants would seem to alias y
#pragma omp simd
    for (std::int64_t i = first; i < last; ++i) py[i] = g(pa[i], pb[i]);
  });
}

}  // namespace

void activation_forward(Stream&, Tensor y, Tensor x, Activation a) {
  with_activation(a, [&](auto g) { map(y, x, x, [g](float v, float) { return g.value(v); }); });
}

void activation_backward(Stream&, Tensor dx, Tensor dy, Tensor y, Activation a) {
  with_activation(a, [&](auto g) { map(dx, dy, y, [g](float d, float v) { return d * g.slope_at(v); }); });
}

void add_tensors(Stream&, Tensor y, Tensor a, Tensor b) {
  map(y, a, b, [](float u, float v) { return u + v; });
}

void clip_forward(Stream&, Tensor y, Tensor x, float low, float high) {
  map(y, x, x, [=](float v, float) { return v < low ? low : v > high ? high : v; });
}

void clip_backward(Stream&, Tensor dx, Tensor dy, Tensor x, float low, float high) {
  map(dx, dy, x, [=](float d, float v) { return v >= low && v <= high ? d : 0.0f; });
}

void scale_tensor(Stream&, Tensor y, Tensor x, Tensor factor, float constant) {
  const float* f = factor.f32();
  map(y, x, x, [=](float v, float) { return constant * f[0] * v; });
}

void fill_tensor(Stream&, Tensor y, float value) {
  float* p = y.f32();
  parallel_range(y.elements(), [=](std::int64_t first, std::int64_t last) { std::fill(p + first, p + last, value); });
}

}  // namespace ipa
