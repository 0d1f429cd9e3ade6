// Device code of adam.h. Step: a thread takes groups of eight parameters, grid-stride, all four tensors and the copy in
// one pass. Where the flag is not 1 every thread ends at once.
#pragma once

#include <cmath>

#include "kernels/adam.h"
#include "kernels/scalar_sum.cuh"

namespace ipa {

// One thread. `rates` has a pitch of 8.
__global__ void adam_rates_kernel(float* rates, float* updates, const float* lr, const float* enabled,
                                  AdamConstants a) {
  const double t = static_cast<double>(updates[0]) + 1;
  store8(rates, {{static_cast<float>(static_cast<double>(lr[0]) / (1 - std::pow(a.beta1, t))),
                  static_cast<float>(1 / std::sqrt(1 - std::pow(a.beta2, t)))}});
  if (enabled[0] > 0) updates[0] = static_cast<float>(t);
}

__global__ void __launch_bounds__(threads_per_block)
    adam_step_kernel(float* p, bf16* copy, float* m, float* v, const float* g, const float* rates, const float* enabled,
                     AdamFloats a, std::int64_t count) {
  if (!(enabled[0] > 0)) return;
  const float rate = rates[0], correction = rates[1];
  for (std::int64_t i = 8 * first_item(); i < count; i += 8 * item_stride()) {
    Numbers8 parameter = load8(p + i), first = load8(m + i), second = load8(v + i);
    const Numbers8 gradient = load8(g + i);
    for (int k = 0; k < 8; ++k) {
      const float d = gradient.v[k];
      first.v[k] = a.beta1 * first.v[k] + a.rest1 * d;
      second.v[k] = a.beta2 * second.v[k] + a.rest2 * d * d;
      parameter.v[k] -= rate * first.v[k] / (std::sqrt(second.v[k]) * correction + a.eps);
    }
    zero_padding(parameter, count - i);
    store8(p + i, parameter);
    store8(m + i, first);  // without a gradient the padding of the moments stays 0
    store8(v + i, second);
    if (copy) store8(copy + i, parameter);
  }
}

template <class T>
struct SquaresTerm {
  const T* x;
  __device__ float operator()(std::int64_t i) const {
    const Numbers8 u = load8(x + 8 * i);
    float sum = 0;
    for (int c = 0; c < 8; ++c) sum += u.v[c] * u.v[c];
    return sum;
  }
};

// One warp.
__global__ void check_finite_kernel(float* flag, ScalarList scalars, const float* previous) {
  const int i = static_cast<int>(threadIdx.x);
  bool finite = i >= scalars.count || std::isfinite(scalars.at[i][0]);
  if (i == 0 && previous) finite = finite && previous[0] != 0;
  finite = __all_sync(0xffffffffu, finite);
  if (i == 0) flag[0] = finite ? 1.0f : 0.0f;
}

}  // namespace ipa
