#include "kernels/adam.h"

#include <cmath>

#include "engine/on_device.h"
#include "kernels/reduce.h"
#include "kernels/scalar_sum.h"

namespace ipa {
namespace {

void rates_cpu(const Tensor& rates, const Tensor& updates, const Tensor& lr, const Tensor& enabled, AdamConstants a) {
  const double t = double{updates.f32()[0]} + 1;
  rates.f32()[0] = static_cast<float>(double{lr.f32()[0]} / (1 - std::pow(a.beta1, t)));
  rates.f32()[1] = static_cast<float>(1 / std::sqrt(1 - std::pow(a.beta2, t)));
  if (enabled.f32()[0] > 0) updates.f32()[0] = static_cast<float>(t);
}

void step_cpu(const Tensor& p, const Tensor& m, const Tensor& v, const Tensor& g, const Tensor& rates,
              const Tensor& enabled, AdamConstants a) {
  require(p.packed() && m.packed() && v.packed() && g.packed(), "adam: the tensors must be packed");
  if (!(enabled.f32()[0] > 0)) return;
  float *pp = p.f32(), *pm = m.f32(), *pv = v.f32();
  const float *pg = g.f32(), rate = rates.f32()[0], correction = rates.f32()[1];
  const AdamFloats c(a);
  parallel_range(p.elements(), [=](std::int64_t first, std::int64_t last) {
#pragma omp simd
    for (std::int64_t i = first; i < last; ++i) {
      pm[i] = c.beta1 * pm[i] + c.rest1 * pg[i];
      pv[i] = c.beta2 * pv[i] + c.rest2 * pg[i] * pg[i];
      pp[i] -= rate * pm[i] / (std::sqrt(pv[i]) * correction + c.eps);
    }
  });
}

}  // namespace

void adam_rates(Stream& stream, Tensor rates, Tensor updates, Tensor lr, Tensor enabled, AdamConstants a) {
  on_device(
      stream, [&] { rates_cpu(rates, updates, lr, enabled, a); },
      [&] { cuda::adam_rates(stream, rates, updates, lr, enabled, a); });
}

void adam_step(Stream& stream, Tensor p, Tensor copy, Tensor m, Tensor v, Tensor g, Tensor rates, Tensor enabled,
               AdamConstants a) {
  require(p.shape == m.shape && p.shape == v.shape && p.shape == g.shape, "adam: shapes differ");
  on_device(
      stream,
      [&] {
        require(!copy.data, "adam: on the CPU there is no bf16 copy");
        step_cpu(p, m, v, g, rates, enabled, a);
      },
      [&] { cuda::adam_step(stream, p, copy, m, v, g, rates, enabled, a); });
}

std::size_t sum_of_squares_workspace_bytes(Device device, const Shape& x) {
  return device.is_cpu() ? ordered_sum_workspace_bytes(x.elements()) : scalar_sum_workspace_bytes(x);
}

void sum_of_squares(Stream& stream, Tensor sum, Tensor x, void* workspace) {
  on_device(
      stream,
      [&] {
        require(x.packed(), "squared_norm: the tensor must be packed");
        const float* px = x.f32();
        sum.f32()[0] = static_cast<float>(ordered_sum(x.elements(), workspace, [px](std::int64_t i) {
          return static_cast<double>(px[i]) * static_cast<double>(px[i]);
        }));
      },
      [&] { cuda::sum_of_squares(stream, sum, x, workspace); });
}

void check_finite(Stream& stream, Tensor flag, std::span<const Tensor> scalars, Tensor previous) {
  on_device(
      stream,
      [&] {
        bool finite = !previous.data || previous.f32()[0] != 0;
        for (const Tensor& s : scalars) finite = finite && std::isfinite(s.f32()[0]);
        flag.f32()[0] = finite ? 1.0f : 0.0f;
      },
      [&] { cuda::check_finite(stream, flag, scalars, previous); });
}

}  // namespace ipa
