#include "kernels/resample.h"

#include "engine/on_device.h"
#include "kernels/parallel.h"

namespace ipa {
namespace {

// Four neighbours of a 2x2 window of a tensor twice as large as `half`.
template <class T>
struct Window {
  T *a, *b, *c, *d;
};
template <class T>
Window<T> window(T* twice, const Shape& half, std::int64_t row, std::int64_t x) {
  const std::int64_t pitch = 2 * half.w * half.c;
  T* top = twice + 2 * row * pitch + 2 * x * half.c;  // rows of all images stand one below the other
  return {top, top + half.c, top + pitch, top + pitch + half.c};
}

// body(row, x, offset) for every pixel of a tensor; offset in elements.
template <class Body>
void for_pixels(const Shape& s, Body&& body) {
  parallel_blocks(s.n * s.h, 1, [&](std::int64_t row, std::int64_t, std::int64_t) {
    for (std::int64_t x = 0; x < s.w; ++x) body(row, x, (row * s.w + x) * s.c);
  });
}

void check(const Tensor& twice, const Tensor& half) {
  const Shape& s = half.shape;
  require(twice.packed() && half.packed() && twice.shape == Shape{s.n, 2 * s.h, 2 * s.w, s.c},
          "resample: one tensor must have twice the other's height and width");
}

void max_pool2_forward_cpu(const Tensor& y, const Tensor& x) {
  check(x, y);
  for_pixels(y.shape, [s = y.shape, px = x.f32(), py = y.f32()](std::int64_t row, std::int64_t col, std::int64_t at) {
    const auto w = window<const float>(px, s, row, col);
#pragma omp simd
    for (std::int64_t c = 0; c < s.c; ++c) {
      float most = w.a[c];
      most = wins(w.b[c], most) ? w.b[c] : most;
      most = wins(w.c[c], most) ? w.c[c] : most;
      py[at + c] = wins(w.d[c], most) ? w.d[c] : most;
    }
  });
}

void max_pool2_backward_cpu(const Tensor& dx, const Tensor& dy, const Tensor& x) {
  check(x, dy);
  check(dx, dy);
  for_pixels(dy.shape, [s = dy.shape, px = x.f32(), pdy = dy.f32(), pdx = dx.f32()](std::int64_t row, std::int64_t col,
                                                                                    std::int64_t at) {
    const auto w = window<const float>(px, s, row, col);
    const auto d = window<float>(pdx, s, row, col);
#pragma omp simd
    for (std::int64_t c = 0; c < s.c; ++c) {
      // Handed from the last of the window to the first; the one that won keeps it. (Selections, no branches.)
      const float a = w.a[c], b = w.b[c], v = w.c[c], e = w.d[c], top = pdy[at + c];
      const bool second = wins(b, a);
      const float most2 = second ? b : a;
      const bool third = wins(v, most2);
      const float most3 = third ? v : most2;
      const bool fourth = wins(e, most3);
      const float left3 = fourth ? 0.0f : top, left2 = third ? 0.0f : left3;
      d.a[c] = second ? 0.0f : left2;
      d.b[c] = second ? left2 : 0.0f;
      d.c[c] = third ? left3 : 0.0f;
      d.d[c] = fourth ? top : 0.0f;
    }
  });
}

void upsample_nearest2_forward_cpu(const Tensor& y, const Tensor& x) {
  check(y, x);
  for_pixels(x.shape, [s = x.shape, px = x.f32(), py = y.f32()](std::int64_t row, std::int64_t col, std::int64_t at) {
    const auto w = window<float>(py, s, row, col);
#pragma omp simd
    for (std::int64_t c = 0; c < s.c; ++c) w.a[c] = w.b[c] = w.c[c] = w.d[c] = px[at + c];
  });
}

void upsample_nearest2_backward_cpu(const Tensor& dx, const Tensor& dy) {
  check(dy, dx);
  for_pixels(dx.shape,
             [s = dx.shape, pdx = dx.f32(), pdy = dy.f32()](std::int64_t row, std::int64_t col, std::int64_t at) {
               const auto w = window<const float>(pdy, s, row, col);
#pragma omp simd
               for (std::int64_t c = 0; c < s.c; ++c) pdx[at + c] = (w.a[c] + w.b[c]) + (w.c[c] + w.d[c]);
             });
}

void upsample_bilinear2_forward_cpu(const Tensor& y, const Tensor& x) {
  check(y, x);
  const Shape s = x.shape;
  for_pixels(y.shape, [s, px = x.f32(), py = y.f32()](std::int64_t row, std::int64_t col, std::int64_t at) {
    // The nearer input row and column, and the farther one.
    const std::int64_t n = row / (2 * s.h), v = row % (2 * s.h), i = v / 2, j = col / 2;
    const std::int64_t i2 = std::clamp<std::int64_t>(v % 2 ? i + 1 : i - 1, 0, s.h - 1),
                       j2 = std::clamp<std::int64_t>(col % 2 ? j + 1 : j - 1, 0, s.w - 1);
    const float *near = px + (n * s.h + i) * s.w * s.c, *far = px + (n * s.h + i2) * s.w * s.c;
    const float *a = near + j * s.c, *b = near + j2 * s.c, *c = far + j * s.c, *d = far + j2 * s.c;
#pragma omp simd
    for (std::int64_t k = 0; k < s.c; ++k)
      py[at + k] = 0.75f * (0.75f * a[k] + 0.25f * b[k]) + 0.25f * (0.75f * c[k] + 0.25f * d[k]);
  });
}

void upsample_bilinear2_backward_cpu(const Tensor& dx, const Tensor& dy) {
  check(dy, dx);
  const Shape s = dx.shape;
  for_pixels(s, [s, pdx = dx.f32(), pdy = dy.f32()](std::int64_t row, std::int64_t col, std::int64_t at) {
    // The outputs that took from this pixel: 2i - 1 .. 2i + 2; where that leaves the image, the border took twice.
    constexpr float weight[4] = {0.25f, 0.75f, 0.75f, 0.25f};
    const std::int64_t n = row / s.h, i = row % s.h;
    const float* from[16];
    float w[16];
    for (std::int64_t u = 0; u < 4; ++u)
      for (std::int64_t v = 0; v < 4; ++v) {
        const std::int64_t oy = std::clamp<std::int64_t>(2 * i - 1 + u, 0, 2 * s.h - 1),
                           ox = std::clamp<std::int64_t>(2 * col - 1 + v, 0, 2 * s.w - 1);
        from[4 * u + v] = pdy + ((n * 2 * s.h + oy) * 2 * s.w + ox) * s.c;
        w[4 * u + v] = weight[u] * weight[v];
      }
#pragma omp simd
    for (std::int64_t k = 0; k < s.c; ++k) {
      float sum = 0;
      for (int t = 0; t < 16; ++t) sum += w[t] * from[t][k];
      pdx[at + k] = sum;
    }
  });
}

}  // namespace

void max_pool2_forward(Stream& stream, Tensor y, Tensor x) {
  on_device(
      stream, [&] { max_pool2_forward_cpu(y, x); }, [&] { cuda::max_pool2_forward(stream, y, x); });
}

void max_pool2_backward(Stream& stream, Tensor dx, Tensor dy, Tensor x) {
  on_device(
      stream, [&] { max_pool2_backward_cpu(dx, dy, x); }, [&] { cuda::max_pool2_backward(stream, dx, dy, x); });
}

void upsample_nearest2_forward(Stream& stream, Tensor y, Tensor x) {
  on_device(
      stream, [&] { upsample_nearest2_forward_cpu(y, x); }, [&] { cuda::upsample_nearest2_forward(stream, y, x); });
}

void upsample_nearest2_backward(Stream& stream, Tensor dx, Tensor dy) {
  on_device(
      stream, [&] { upsample_nearest2_backward_cpu(dx, dy); },
      [&] { cuda::upsample_nearest2_backward(stream, dx, dy); });
}

void upsample_bilinear2_forward(Stream& stream, Tensor y, Tensor x) {
  on_device(
      stream, [&] { upsample_bilinear2_forward_cpu(y, x); }, [&] { cuda::upsample_bilinear2_forward(stream, y, x); });
}

void upsample_bilinear2_backward(Stream& stream, Tensor dx, Tensor dy) {
  on_device(
      stream, [&] { upsample_bilinear2_backward_cpu(dx, dy); },
      [&] { cuda::upsample_bilinear2_backward(stream, dx, dy); });
}

}  // namespace ipa
