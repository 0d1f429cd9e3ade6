#include "kernels/pointwise.h"

#include "engine/on_device.h"
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

void activation_forward(Stream& stream, Tensor y, Tensor x, Activation a) {
  on_device(
      stream, [&] { with_activation(a, [&](auto g) { map(y, x, x, [g](float v, float) { return g.value(v); }); }); },
      [&] { cuda::activation_forward(stream, y, x, a); });
}

void activation_backward(Stream& stream, Tensor dx, Tensor dy, Tensor y, Activation a) {
  on_device(
      stream,
      [&] { with_activation(a, [&](auto g) { map(dx, dy, y, [g](float d, float v) { return d * g.slope_at(v); }); }); },
      [&] { cuda::activation_backward(stream, dx, dy, y, a); });
}

void add_tensors(Stream& stream, Tensor y, Tensor a, Tensor b) {
  on_device(
      stream, [&] { map(y, a, b, [](float u, float v) { return u + v; }); },
      [&] { cuda::add_tensors(stream, y, a, b); });
}

void clip_forward(Stream& stream, Tensor y, Tensor x, float low, float high) {
  on_device(
      stream, [&] { map(y, x, x, [=](float v, float) { return v < low    ? low
                                                              : v > high ? high
                                                                         : v; }); },
      [&] { cuda::clip_forward(stream, y, x, low, high); });
}

void clip_backward(Stream& stream, Tensor dx, Tensor dy, Tensor x, float low, float high) {
  on_device(
      stream, [&] { map(dx, dy, x, [=](float d, float v) { return v >= low && v <= high ? d : 0.0f; }); },
      [&] { cuda::clip_backward(stream, dx, dy, x, low, high); });
}

void scale_tensor(Stream& stream, Tensor y, Tensor x, Tensor factor, float constant) {
  on_device(
      stream,
      [&] {
        const float* f = factor.f32();
        map(y, x, x, [=](float v, float) { return constant * f[0] * v; });
      },
      [&] { cuda::scale_tensor(stream, y, x, factor, constant); });
}

void fill_tensor(Stream& stream, Tensor y, float value) {
  on_device(
      stream,
      [&] {
        float* p = y.f32();
        parallel_range(y.elements(),
                       [=](std::int64_t first, std::int64_t last) { std::fill(p + first, p + last, value); });
      },
      [&] { cuda::fill_tensor(stream, y, value); });
}

}  // namespace ipa
