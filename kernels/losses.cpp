#include "kernels/losses.h"

#include "engine/on_device.h"
#include "kernels/math.h"
#include "kernels/reduce.h"
#include "kernels/scalar_sum.h"

namespace ipa {
namespace {

void require_equal(const Tensor& a, const Tensor& b) {
  require(a.packed() && b.packed() && a.shape == b.shape, "loss: shapes differ");
}

void bce_forward_cpu(const Tensor& loss, const Tensor& z, float target, void* workspace) {
  const float* p = z.f32();
  const BceWithLogits bce{target};
  const double sum = ordered_sum(z.elements(), workspace, [=](std::int64_t i) { return bce.value(p[i]); });
  loss.f32()[0] = static_cast<float>(sum / static_cast<double>(z.elements()));
}

void bce_backward_cpu(const Tensor& dz, const Tensor& z, const Tensor& dloss, float target) {
  require_equal(dz, z);
  const float factor = dloss.f32()[0] / static_cast<float>(z.elements());
  const float* p = z.f32();
  float* d = dz.f32();
  const BceWithLogits bce{target};
  parallel_range(z.elements(), [=](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) d[i] = factor * bce.slope_at(p[i]);
  });
}

void l1_forward_cpu(const Tensor& loss, const Tensor& a, const Tensor& b, void* workspace) {
  require_equal(a, b);
  const float *pa = a.f32(), *pb = b.f32();
  const double sum = ordered_sum(a.elements(), workspace, [=](std::int64_t i) { return std::fabs(pa[i] - pb[i]); });
  loss.f32()[0] = static_cast<float>(sum / static_cast<double>(a.elements()));
}

void l1_backward_cpu(const Tensor& da, const Tensor& a, const Tensor& b, const Tensor& dloss) {
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

void masked_l1_forward_cpu(const Tensor& loss, const Tensor& share, const Tensor& a, const Tensor& b,
                           const Tensor& mask, void* workspace) {
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

void masked_l1_backward_cpu(const Tensor& da, const Tensor& a, const Tensor& b, const Tensor& mask, const Tensor& share,
                            const Tensor& dloss) {
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

void vgg_input_forward_cpu(const Tensor& y, const Tensor& x) {
  const float* px = x.f32();
  float* py = y.f32();
  parallel_range(x.elements(), [=](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i)
      for (int c = 0; c < 3; ++c) py[3 * i + c] = vgg_value(px[i], c);
  });
}

void vgg_input_backward_cpu(const Tensor& dx, const Tensor& dy) {
  const float* py = dy.f32();
  float* px = dx.f32();
  parallel_range(dx.elements(), [=](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) px[i] = 127.5f * (py[3 * i] + py[3 * i + 1] + py[3 * i + 2]);
  });
}

}  // namespace

std::size_t bce_with_logits_workspace_bytes(Device device, const Shape& z) {
  return device.is_cpu() ? ordered_sum_workspace_bytes(z.elements()) : scalar_sum_workspace_bytes(z);
}

std::size_t l1_workspace_bytes(Device device, std::span<const TensorSpec> a) {
  std::size_t most = 0, all = 0;
  for (const TensorSpec& s : a) {
    most = std::max(most, ordered_sum_workspace_bytes(s.shape.elements()));
    all += scalar_sum_workspace_bytes(s.shape);
  }
  return device.is_cpu() ? most : all;
}

std::size_t masked_l1_workspace_bytes(Device device, const Shape& a) {
  if (device.is_cpu()) return ordered_sum_workspace_bytes(a.h * a.w);
  return 2 * static_cast<std::size_t>(a.n) * scalar_sum_workspace_bytes({1, a.h, a.w, a.c});
}

void bce_with_logits_forward(Stream& stream, Tensor loss, Tensor z, float target, void* workspace) {
  on_device(
      stream, [&] { bce_forward_cpu(loss, z, target, workspace); },
      [&] { cuda::bce_with_logits_forward(stream, loss, z, target, workspace); });
}

void bce_with_logits_backward(Stream& stream, Tensor dz, Tensor z, Tensor dloss, float target) {
  on_device(
      stream, [&] { bce_backward_cpu(dz, z, dloss, target); },
      [&] { cuda::bce_with_logits_backward(stream, dz, z, dloss, target); });
}

void l1_forward(Stream& stream, std::span<const Tensor> losses, std::span<const Tensor> a, std::span<const Tensor> b,
                void* workspace) {
  on_device(
      stream,
      [&] {
        for (std::size_t k = 0; k < a.size(); ++k) l1_forward_cpu(losses[k], a[k], b[k], workspace);
      },
      [&] { cuda::l1_forward(stream, losses, a, b, workspace); });
}

void l1_backward(Stream& stream, std::span<const Tensor> da, std::span<const Tensor> a, std::span<const Tensor> b,
                 std::span<const Tensor> dlosses) {
  on_device(
      stream,
      [&] {
        for (std::size_t k = 0; k < a.size(); ++k) l1_backward_cpu(da[k], a[k], b[k], dlosses[k]);
      },
      [&] { cuda::l1_backward(stream, da, a, b, dlosses); });
}

void masked_l1_forward(Stream& stream, Tensor loss, Tensor share, Tensor a, Tensor b, Tensor mask, void* workspace) {
  on_device(
      stream, [&] { masked_l1_forward_cpu(loss, share, a, b, mask, workspace); },
      [&] { cuda::masked_l1_forward(stream, loss, share, a, b, mask, workspace); });
}

void masked_l1_backward(Stream& stream, Tensor da, Tensor a, Tensor b, Tensor mask, Tensor share, Tensor dloss) {
  on_device(
      stream, [&] { masked_l1_backward_cpu(da, a, b, mask, share, dloss); },
      [&] { cuda::masked_l1_backward(stream, da, a, b, mask, share, dloss); });
}

void weighted_sum_forward(Stream& stream, Tensor sum, std::span<const Tensor> terms, Tensor weights) {
  on_device(
      stream,
      [&] {
        double total = 0;
        for (std::size_t i = 0; i < terms.size(); ++i)
          total += static_cast<double>(weights.f32()[i]) * static_cast<double>(terms[i].f32()[0]);
        sum.f32()[0] = static_cast<float>(total);
      },
      [&] { cuda::weighted_sum_forward(stream, sum, terms, weights); });
}

void weighted_sum_backward(Stream& stream, std::span<const Tensor> dterms, Tensor weights, Tensor dsum) {
  on_device(
      stream,
      [&] {
        for (std::size_t i = 0; i < dterms.size(); ++i) dterms[i].f32()[0] = weights.f32()[i] * dsum.f32()[0];
      },
      [&] { cuda::weighted_sum_backward(stream, dterms, weights, dsum); });
}

void vgg_input_forward(Stream& stream, Tensor y, Tensor x) {
  on_device(
      stream, [&] { vgg_input_forward_cpu(y, x); }, [&] { cuda::vgg_input_forward(stream, y, x); });
}

void vgg_input_backward(Stream& stream, Tensor dx, Tensor dy) {
  on_device(
      stream, [&] { vgg_input_backward_cpu(dx, dy); }, [&] { cuda::vgg_input_backward(stream, dx, dy); });
}

}  // namespace ipa
