// The transforms of Winograd's F(4x4, 3x3) along one axis (Lavin and Gray, Fast Algorithms for Convolutional Neural
// Networks, CVPR 2016, section 4): y = A^T ((G g) * (B^T d)), 6 products for 4 outputs of 3 taps. As points of
// interpolation we take 0, +-a, +-b and infinity with a = sqrt(1/2) and b = 1/a = sqrt(2), of the form that Alam et al.
// recommend (Winograd Convolution for Deep Neural Networks: Efficient Point Selection, ACM TECS 2022): half the error
// of the usual 0, +-1, +-2, and a^2, b^2, a^2 b^2 and a^2 + b^2 are exact.
#pragma once

#include "kernels/simd.h"

namespace ipa::IPA_SIMD {
namespace {

constexpr int points = 6;                // along one axis
constexpr int planes = points * points;  // products per tile and pair of channels
constexpr int tile_size = 4;             // outputs along one axis
constexpr float point_a = 0.70710678f, point_b = 1.41421356f;

// B^T d, d of 6 inputs.
template <class V>
IPA_INLINE void transform_input(const V* d, V* o) {
  const V a_even = d[4] - 2.0f * d[2], a_odd = d[3] - 2.0f * d[1];
  const V b_even = d[4] - 0.5f * d[2], b_odd = d[3] - 0.5f * d[1];
  o[0] = d[0] + (d[4] - 2.5f * d[2]);
  o[1] = a_even + point_a * a_odd;
  o[2] = a_even - point_a * a_odd;
  o[3] = b_even + point_b * b_odd;
  o[4] = b_even - point_b * b_odd;
  o[5] = d[1] + (d[5] - 2.5f * d[3]);
}

// Half of them: o[0..2] of d[0..4], or o[3..5], of which `d` then holds d[1..5].
template <int Half, class V>
IPA_INLINE void transform_input_half(const V* d, V& o0, V& o1, V& o2) {
  if constexpr (Half == 0) {
    const V even = d[4] - 2.0f * d[2], odd = d[3] - 2.0f * d[1];
    o0 = d[0] + (d[4] - 2.5f * d[2]);
    o1 = even + point_a * odd;
    o2 = even - point_a * odd;
  } else {
    const V even = d[3] - 0.5f * d[1], odd = d[2] - 0.5f * d[0];
    o0 = even + point_b * odd;
    o1 = even - point_b * odd;
    o2 = d[0] + (d[4] - 2.5f * d[2]);
  }
}

// G g, g of 3 taps.
template <class V>
IPA_INLINE void transform_weights(const V* g, V* o) {
  const V a_even = (-2.0f / 3) * g[0] - (1.0f / 3) * g[2], a_odd = (-2.0f / 3 * point_a) * g[1];
  const V b_even = (1.0f / 6) * g[0] + (1.0f / 3) * g[2], b_odd = (1.0f / 6 * point_b) * g[1];
  o[0] = g[0];
  o[1] = a_even + a_odd;
  o[2] = a_even - a_odd;
  o[3] = b_even + b_odd;
  o[4] = b_even - b_odd;
  o[5] = g[2];
}

// A^T m, m of 6 products.
template <class V>
IPA_INLINE void transform_output(const V* m, V* o) {
  const V a_sum = m[1] + m[2], a_difference = m[1] - m[2], b_sum = m[3] + m[4], b_difference = m[3] - m[4];
  o[0] = m[0] + a_sum + b_sum;
  o[1] = point_a * a_difference + point_b * b_difference;
  o[2] = 0.5f * a_sum + 2.0f * b_sum;
  o[3] = (0.5f * point_a) * a_difference + ((2.0f * point_b) * b_difference + m[5]);
}

}  // namespace
}  // namespace ipa::IPA_SIMD
