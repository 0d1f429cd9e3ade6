#include "kernels/losses.h"

#include "kernels/math.h"
#include "kernels/reduce.h"

namespace ipa {
namespace {

constexpr float vgg_mean[3] = {103.939f, 116.779f, 123.68f};  // B, G, R of ImageNet

void require_equal(const Tensor& a, const Tensor& b) {
  require(a.packed() && b.packed() && a.shape == b.shape, "loss: shapes differ");
}

}  // namespace

std::size_t loss_workspace_bytes(const Shape& x) { return ordered_sum_workspace_bytes(x.elements()); }

void bce_with_logits_forward(Stream&, Tensor loss, Tensor z, float target, void* workspace) {
  const float* p = z.f32();
  const BceWithLogits bce{target};
  const double sum = ordered_sum(z.elements(), workspace, [=](std::int64_t i) { return bce.value(p[i]); });
  loss.f32()[0] = static_cast<float>(sum / static_cast<double>(z.elements()));
}

void bce_with_logits_backward(Stream&, Tensor dz, Tensor z, Tensor dloss, float target) {
  require_equal(dz, z);
  const float factor = dloss.f32()[0] / static_cast<float>(z.elements());
  const float* p = z.f32();
  float* d = dz.f32();
  const BceWithLogits bce{target};
  parallel_range(z.elements(), [=](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) d[i] = factor * bce.slope_at(p[i]);
  });
}

void l1_forward(Stream&, Tensor loss, Tensor a, Tensor b, void* workspace) {
  require_equal(a, b);
  const float *pa = a.f32(), *pb = b.f32();
  const double sum = ordered_sum(a.elements(), workspace, [=](std::int64_t i) { return std::fabs(pa[i] - pb[i]); });
  loss.f32()[0] = static_cast<float>(sum / static_cast<double>(a.elements()));
}

void l1_backward(Stream&, Tensor da, Tensor a, Tensor b, Tensor dloss) {
  require_equal(da, a);
  require_equal(a, b);
  const float factor = dloss.f32()[0] / static_cast<float>(a.elements());
  const float *pa = a.f32(), *pb = b.f32();
  float* d = da.f32();
  parallel_range(a.elements(), [=](std::int64_t first, std::int64_t last) {
#pragma omp simd
    for (std::int64_t i = first; i < last; ++i) d[i] = factor * sign(pa[i] - pb[i]);
  });
}

void masked_l1_forward(Stream&, Tensor loss, Tensor share, Tensor a, Tensor b, Tensor mask, void* workspace) {
  require_equal(a, b);
  const std::int64_t channels = a.shape.c, pixels = a.shape.h * a.shape.w, images = a.shape.n;
  double total = 0;
  for (std::int64_t n = 0; n < images; ++n) {
    const float *pa = a.f32() + n * pixels * channels, *pb = b.f32() + n * pixels * channels;
    const float* m = mask.f32() + n * pixels;
    const double holes = ordered_sum(pixels, workspace, [=](std::int64_t i) { return m[i]; });
    const double sum = ordered_sum(pixels, workspace, [=](std::int64_t i) {
      float difference = 0;
      for (std::int64_t c = i * channels; c < (i + 1) * channels; ++c) difference += std::fabs(pa[c] - pb[c]);
      return m[i] * difference;
    });
    const double part = holes == 0 ? 0 : 1 / (static_cast<double>(images * channels) * holes);
    share.f32()[n] = static_cast<float>(part);
    total += part * sum;
  }
  loss.f32()[0] = static_cast<float>(total);
}

void masked_l1_backward(Stream&, Tensor da, Tensor a, Tensor b, Tensor mask, Tensor share, Tensor dloss) {
  require_equal(da, a);
  require_equal(a, b);
  const std::int64_t channels = a.shape.c, pixels = a.shape.h * a.shape.w;
  for (std::int64_t n = 0; n < a.shape.n; ++n) {
    const float *pa = a.f32() + n * pixels * channels, *pb = b.f32() + n * pixels * channels;
    const float *m = mask.f32() + n * pixels, factor = dloss.f32()[0] * share.f32()[n];
    float* d = da.f32() + n * pixels * channels;
    parallel_range(pixels, [=](std::int64_t first, std::int64_t last) {
      for (std::int64_t c = 0; c < channels; ++c) {
#pragma omp simd
        for (std::int64_t p = first; p < last; ++p)
          d[p * channels + c] = factor * m[p] * sign(pa[p * channels + c] - pb[p * channels + c]);
      }
    });
  }
}

void weighted_sum_forward(Stream&, Tensor sum, std::span<const Tensor> terms, Tensor weights) {
  double total = 0;
  for (std::size_t i = 0; i < terms.size(); ++i)
    total += static_cast<double>(weights.f32()[i]) * static_cast<double>(terms[i].f32()[0]);
  sum.f32()[0] = static_cast<float>(total);
}

void weighted_sum_backward(Stream&, Tensor dterm, Tensor weights, Tensor dsum, int term) {
  dterm.f32()[0] = weights.f32()[term] * dsum.f32()[0];
}

void vgg_input_forward(Stream&, Tensor y, Tensor x) {
  const float* px = x.f32();
  float* py = y.f32();
  parallel_range(x.elements(), [=](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i)
      for (int c = 0; c < 3; ++c) py[3 * i + c] = 127.5f * (px[i] + 1.0f) - vgg_mean[c];
  });
}

void vgg_input_backward(Stream&, Tensor dx, Tensor dy) {
  const float* py = dy.f32();
  float* px = dx.f32();
  parallel_range(dx.elements(), [=](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) px[i] = 127.5f * (py[3 * i] + py[3 * i + 1] + py[3 * i + 2]);
  });
}

}  // namespace ipa
