#include "kernels/adam.h"

#include <cmath>

#include "kernels/reduce.h"

namespace ipa {

void adam_rates(Stream&, Tensor rates, Tensor updates, Tensor lr, Tensor enabled, AdamConstants a) {
  const double t = double{updates.f32()[0]} + 1;
  rates.f32()[0] = static_cast<float>(double{lr.f32()[0]} / (1 - std::pow(a.beta1, t)));
  rates.f32()[1] = static_cast<float>(1 / std::sqrt(1 - std::pow(a.beta2, t)));
  if (enabled.f32()[0] > 0) updates.f32()[0] = static_cast<float>(t);
}

void adam_step(Stream&, Tensor p, Tensor copy, Tensor m, Tensor v, Tensor g, Tensor rates, Tensor enabled,
               AdamConstants a) {
  require(!copy.data, "adam: on the CPU there is no bf16 copy");
  require(p.shape == m.shape && p.shape == v.shape && p.shape == g.shape && p.packed() && m.packed() && v.packed() &&
              g.packed(),
          "adam: shapes differ");
  if (!(enabled.f32()[0] > 0)) return;
  float *pp = p.f32(), *pm = m.f32(), *pv = v.f32();
  const float *pg = g.f32(), rate = rates.f32()[0], correction = rates.f32()[1];
  const float b1 = static_cast<float>(a.beta1), c1 = static_cast<float>(1 - a.beta1), b2 = static_cast<float>(a.beta2),
              c2 = static_cast<float>(1 - a.beta2), eps = static_cast<float>(a.eps);
  parallel_range(p.elements(), [=](std::int64_t first, std::int64_t last) {
#pragma omp simd
    for (std::int64_t i = first; i < last; ++i) {
      pm[i] = b1 * pm[i] + c1 * pg[i];
      pv[i] = b2 * pv[i] + c2 * pg[i] * pg[i];
      pp[i] -= rate * pm[i] / (std::sqrt(pv[i]) * correction + eps);
    }
  });
}

std::size_t sum_of_squares_workspace_bytes(const Shape& x) { return ordered_sum_workspace_bytes(x.elements()); }

void sum_of_squares(Stream&, Tensor sum, Tensor x, void* workspace) {
  require(x.packed(), "squared_norm: the tensor must be packed");
  const float* px = x.f32();
  sum.f32()[0] = static_cast<float>(ordered_sum(x.elements(), workspace, [px](std::int64_t i) {
    return static_cast<double>(px[i]) * static_cast<double>(px[i]);
  }));
}

void check_finite(Stream&, Tensor flag, std::span<const Tensor> scalars, Tensor previous) {
  bool finite = !previous.data || previous.f32()[0] != 0;
  for (const Tensor& s : scalars) finite = finite && std::isfinite(s.f32()[0]);
  flag.f32()[0] = finite ? 1.0f : 0.0f;
}

}  // namespace ipa
