// The transposes of the transforms of winograd_taps_simd.cpp, for the weight gradient.
#include "kernels/simd_tile.h"
#include "kernels/winograd_taps_kernels.h"
#include "kernels/winograd_transforms.h"

namespace ipa::IPA_SIMD {
namespace {

// A y, y of 3 or 5 outputs.
template <int Outputs>
IPA_INLINE void transform_output_gradient(const Vec* y, Vec* o) {
  Vec a_even = y[0] + 0.5f * y[2], a_odd = point_a * y[1];
  Vec b_even = y[0] + 2.0f * y[2], b_odd = point_b * y[1];
  if constexpr (Outputs == 5) {
    a_even += 0.25f * y[4];
    a_odd += (0.5f * point_a) * y[3];
    b_even += 4.0f * y[4];
    b_odd += (2.0f * point_b) * y[3];
  }
  o[0] = y[0];
  o[1] = a_even + a_odd;
  o[2] = a_even - a_odd;
  o[3] = b_even + b_odd;
  o[4] = b_even - b_odd;
  o[5] = y[Outputs - 1];
}

// G^T u, to 2 or 4 taps.
template <int Taps>
IPA_INLINE void transform_sums(const Vec* u, Vec* o) {
  const Vec a_sum = u[1] + u[2], a_difference = u[1] - u[2], b_sum = u[3] + u[4], b_difference = u[3] - u[4];
  o[0] = u[0] + ((1.0f / 6) * b_sum - (2.0f / 3) * a_sum);
  o[1] = (1.0f / 6 * point_b) * b_difference - (2.0f / 3 * point_a) * a_difference;
  if constexpr (Taps == 4) {
    o[2] = (1.0f / 3) * (b_sum - a_sum);
    o[3] = (1.0f / 3 * point_b) * b_difference - (1.0f / 3 * point_a) * a_difference;
  }
  o[Taps - 1] += u[5];
}

template <int Outputs>
void output_gradient_of(const TapTiles& t, const PixelView& view, const float* dy, std::int64_t row, float* m,
                        std::int64_t plane) {
  const std::int64_t image = row / t.down, top = row % t.down * Outputs;
  for (std::int64_t tile = 0; tile < t.across; ++tile) {
    const std::int64_t left = tile * Outputs;
    const float* const from = dy + ((image * view.height + top) * view.width + left) * view.pitch;
    float* const to = m + (row * t.across + tile) * view.channels;
    for (std::int64_t c = 0; c < view.channels; c += lanes) {
      const Mask channels = first_lanes(view.channels - c);
      Vec rows[points][Outputs];
      IPA_UNROLL for (int k = 0; k < Outputs; ++k) {
        Vec y[Outputs], o[points];
        IPA_UNROLL for (int r = 0; r < Outputs; ++r) {
          const bool inside = top + r < view.height && left + k < view.width;
          y[r] = inside ? load<Vec>(from + (r * view.width + k) * view.pitch + c, channels) : Vec{};
        }
        transform_output_gradient<Outputs>(y, o);
        IPA_UNROLL for (int r = 0; r < points; ++r) rows[r][k] = o[r];
      }
      IPA_UNROLL for (int r = 0; r < points; ++r) {
        Vec o[points];
        transform_output_gradient<Outputs>(rows[r], o);
        IPA_UNROLL for (int k = 0; k < points; ++k) store(to + (r * points + k) * plane + c, o[k], channels);
      }
    }
  }
}

void output_gradient(const TapTiles& t, const PixelView& view, const float* dy, std::int64_t row, float* m,
                     std::int64_t plane) {
  t.taps == 4 ? output_gradient_of<3>(t, view, dy, row, m, plane) : output_gradient_of<5>(t, view, dy, row, m, plane);
}

template <int Taps>
void weights_of(const ConvGemm& g, std::int64_t out, std::int64_t o, const float* sums, std::int64_t plane, float* dw) {
  const ConvGemmWeights& s = g.weights;
  const std::int64_t in = g.rows.channels;
  for (std::int64_t c = 0; c < in; c += lanes) {
    const std::int64_t panel = c / panel_columns * panel_columns;
    const Mask channels = first_lanes(in - c);
    const float* const from = sums + panel * out + o * panel_width(in - panel) + (c - panel);
    Vec rows[Taps][points];
    for (int k = 0; k < points; ++k) {
      Vec u[points], taps[Taps];
      for (int r = 0; r < points; ++r) u[r] = load<Vec>(from + (r * points + k) * plane, channels);
      transform_sums<Taps>(u, taps);
      for (int a = 0; a < Taps; ++a) rows[a][k] = taps[a];
    }
    for (int a = 0; a < Taps; ++a) {
      Vec taps[Taps];
      transform_sums<Taps>(rows[a], taps);
      for (int b = 0; b < Taps; ++b)
        store(dw + o * s.column_stride + (s.row + a * s.row_step) * s.row_stride +
                  (s.col + b * s.col_step) * s.col_stride + c,
              taps[b], channels);
    }
  }
}

void weights(const ConvGemm& g, std::int64_t taps, std::int64_t out, std::int64_t o, const float* sums,
             std::int64_t plane, float* dw) {
  taps == 4 ? weights_of<4>(g, out, o, sums, plane, dw) : weights_of<2>(g, out, o, sums, plane, dw);
}

}  // namespace

const WinogradTapsWgradKernels winograd_taps_wgrad_kernels = {output_gradient, weights};

}  // namespace ipa::IPA_SIMD
