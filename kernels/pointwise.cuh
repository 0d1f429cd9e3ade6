// Device code of pointwise.h. A thread takes groups of eight elements, grid-stride; every operand is read or written
// once, 16 bytes at a time. No shared memory.
#pragma once

#include "kernels/math.h"
#include "kernels/numbers8.cuh"

namespace ipa {

template <class G>
struct ActivationValue {
  G g;
  IPA_HD float operator()(float x, float) const { return g.value(x); }
};
template <class G>
struct ActivationSlope {
  G g;
  IPA_HD float operator()(float dy, float y) const { return dy * g.slope_at(y); }
};
struct Sum {
  IPA_HD float operator()(float a, float b) const { return a + b; }
};
struct Clip {
  float low, high;
  IPA_HD float operator()(float x, float) const { return x < low ? low : x > high ? high : x; }
};
struct ClipSlope {
  float low, high;
  IPA_HD float operator()(float dy, float x) const { return x >= low && x <= high ? dy : 0.0f; }
};

// y = f(a, b)
template <class T, class F>
__global__ void __launch_bounds__(threads_per_block) map_kernel(T* y, const T* a, const T* b, Groups groups, F f) {
  for (std::int64_t i = first_item(); i < groups.count; i += item_stride()) {
    Numbers8 u = load8(a + 8 * i);
    const Numbers8 v = a == b ? u : load8(b + 8 * i);
    for (int k = 0; k < 8; ++k) u.v[k] = f(u.v[k], v.v[k]);
    zero_padding(u, groups.valid(i));
    store8(y + 8 * i, u);
  }
}

// y = constant factor[0] x
template <class T>
__global__ void __launch_bounds__(threads_per_block)
    scale_kernel(T* y, const T* x, const float* factor, float constant, Groups groups) {
  const float by = constant * factor[0];
  for (std::int64_t i = first_item(); i < groups.count; i += item_stride()) {
    Numbers8 u = load8(x + 8 * i);
    for (int k = 0; k < 8; ++k) u.v[k] *= by;
    zero_padding(u, groups.valid(i));
    store8(y + 8 * i, u);
  }
}

template <class T>
__global__ void __launch_bounds__(threads_per_block) fill_kernel(T* y, float value, Groups groups) {
  for (std::int64_t i = first_item(); i < groups.count; i += item_stride()) {
    Numbers8 u;
    for (int k = 0; k < 8; ++k) u.v[k] = value;
    zero_padding(u, groups.valid(i));
    store8(y + 8 * i, u);
  }
}

}  // namespace ipa
