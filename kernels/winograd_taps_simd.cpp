#include "kernels/conv_gemm_rows.h"
#include "kernels/simd_tile.h"
#include "kernels/winograd_taps_kernels.h"
#include "kernels/winograd_transforms.h"

namespace ipa::IPA_SIMD {
namespace {

// G g of 2 or 4 taps, for the points of winograd_transforms.h: row p of G is (1, p, p^2, ...) / product of p - others.
template <int Taps>
IPA_INLINE void transform_taps(const Vec* g, Vec* o) {
  Vec a_even = (-2.0f / 3) * g[0], a_odd = (-2.0f / 3 * point_a) * g[1];
  Vec b_even = (1.0f / 6) * g[0], b_odd = (1.0f / 6 * point_b) * g[1];
  if constexpr (Taps == 4) {
    a_even += (-1.0f / 3) * g[2];
    a_odd += (-1.0f / 3 * point_a) * g[3];
    b_even += (1.0f / 3) * g[2];
    b_odd += (1.0f / 3 * point_b) * g[3];
  }
  o[0] = g[0];
  o[1] = a_even + a_odd;
  o[2] = a_even - a_odd;
  o[3] = b_even + b_odd;
  o[4] = b_even - b_odd;
  o[5] = g[Taps - 1];
}

// A^T m, to 3 or 5 outputs.
template <int Outputs>
IPA_INLINE void transform_products(const Vec* m, Vec* o) {
  const Vec a_sum = m[1] + m[2], a_difference = m[1] - m[2], b_sum = m[3] + m[4], b_difference = m[3] - m[4];
  o[0] = m[0] + a_sum + b_sum;
  o[1] = point_a * a_difference + point_b * b_difference;
  o[2] = 0.5f * a_sum + 2.0f * b_sum;
  if constexpr (Outputs == 5) {
    o[3] = (0.5f * point_a) * a_difference + (2.0f * point_b) * b_difference;
    o[4] = 0.25f * a_sum + 4.0f * b_sum;
  }
  o[Outputs - 1] += m[5];
}

template <int Taps>
void weights_of(const ConvGemm& g, const float* w, std::int64_t depth, std::int64_t channel, std::int64_t column,
                float* packed, std::int64_t plane) {
  const ConvGemmWeights& s = g.weights;
  const std::int64_t panel = column / panel_columns * panel_columns, width = panel_width(s.columns - panel);
  const std::int64_t count = smaller(lanes, s.columns - column);
  const Mask kept = first_lanes(width - (column - panel)), real = first_lanes(count);
  for (std::int64_t k = 0; k < g.rows.channels; ++k) {
    Vec rows[Taps][points];  // of the taps' columns
    for (int b = 0; b < Taps; ++b) {
      Vec taps[Taps];
      for (int a = 0; a < Taps; ++a) {
        const float* const from = w + column * s.column_stride + k * s.channel_stride +
                                  (s.row + a * s.row_step) * s.row_stride + (s.col + b * s.col_step) * s.col_stride;
        if (s.column_stride == 1) {
          taps[a] = load<Vec>(from, real);
        } else {
          alignas(64) float of[lanes] = {};
          for (std::int64_t i = 0; i < count; ++i) of[i] = from[i * s.column_stride];
          taps[a] = load<Vec>(of);
        }
      }
      transform_taps<Taps>(taps, rows[b]);
    }
    float* const to = packed + panel * depth + (channel + k) * width + (column - panel);
    for (int r = 0; r < points; ++r) {
      Vec row[Taps], u[points];
      for (int b = 0; b < Taps; ++b) row[b] = rows[b][r];
      transform_taps<Taps>(row, u);
      for (int c = 0; c < points; ++c) store(to + (r * points + c) * plane, u[c], kept);
    }
  }
}

void weights(const ConvGemm& g, const float* w, std::int64_t taps, std::int64_t depth, std::int64_t channel,
             std::int64_t column, float* packed, std::int64_t plane) {
  for (std::int64_t c = column; c < smaller(column + 16, g.weights.columns); c += lanes)
    taps == 4 ? weights_of<4>(g, w, depth, channel, c, packed, plane)
              : weights_of<2>(g, w, depth, channel, c, packed, plane);
}

void input(const TapTiles& t, const PixelView& view, const float* x, std::int64_t first_row, std::int64_t first_col,
           std::int64_t row, float* v, std::int64_t depth, std::int64_t plane) {
  const std::int64_t image = row / t.down, top = row % t.down * t.outputs() + first_row;
  const std::int64_t height = divide_up(view.height - view.top, view.step),
                     width = divide_up(view.width - view.left, view.step);
  for (std::int64_t tile = 0; tile < t.across; ++tile) {
    const std::int64_t left = tile * t.outputs() + first_col;
    float* const to = v + (row * t.across + tile) * depth;
    for (std::int64_t c = 0; c < view.channels; c += lanes) {
      const Mask channels = first_lanes(view.channels - c);
      Vec rows[points][points];
      IPA_UNROLL for (int k = 0; k < points; ++k) {
        const std::int64_t column = left + k;
        Vec d[points], o[points];
        IPA_UNROLL for (int r = 0; r < points; ++r) {
          const std::int64_t line = top + r;
          const bool inside = line >= 0 && line < height && column >= 0 && column < width;
          const std::int64_t at =
              (image * view.height + view.top + line * view.step) * view.width + view.left + column * view.step;
          d[r] = inside ? load<Vec>(x + at * view.pitch + c, channels) : Vec{};
        }
        transform_input(d, o);
        IPA_UNROLL for (int r = 0; r < points; ++r) rows[r][k] = o[r];
      }
      IPA_UNROLL for (int r = 0; r < points; ++r) {
        Vec o[points];
        transform_input(rows[r], o);
        IPA_UNROLL for (int k = 0; k < points; ++k) store(to + (r * points + k) * plane + c, o[k], channels);
      }
    }
  }
}

template <int Outputs>
void output_of(const TapTiles& t, const PixelView& view, const float* m, std::int64_t plane, const ConvGemm& g,
               std::int64_t row) {
  const std::int64_t image = row / t.down, top = row % t.down * Outputs;
  const std::int64_t height = divide_up(view.height - view.top, view.step),
                     width = divide_up(view.width - view.left, view.step);
  for (std::int64_t tile = 0; tile < t.across; ++tile) {
    const std::int64_t left = tile * Outputs;
    const float* const from = m + (row * t.across + tile) * view.channels;
    for (std::int64_t c = 0; c < view.channels; c += lanes) {
      const Mask channels = first_lanes(view.channels - c);
      const Vec shift = g.bias ? load<Vec>(g.bias + c, channels) : Vec{};
      Vec rows[Outputs][points];
      IPA_UNROLL for (int k = 0; k < points; ++k) {
        Vec d[points], o[Outputs];
        IPA_UNROLL for (int r = 0; r < points; ++r) d[r] = load<Vec>(from + (r * points + k) * plane + c, channels);
        transform_products<Outputs>(d, o);
        IPA_UNROLL for (int r = 0; r < Outputs; ++r) rows[r][k] = o[r];
      }
      IPA_UNROLL for (int r = 0; r < Outputs; ++r) {
        Vec o[Outputs];
        transform_products<Outputs>(rows[r], o);
        IPA_UNROLL for (int k = 0; k < Outputs; ++k) if (top + r < height && left + k < width) {
          const std::int64_t at = (image * view.height + view.top + (top + r) * view.step) * view.width + view.left +
                                  (left + k) * view.step;
          Vec y = o[k];
          if (g.bias) y += shift;
          if (g.rectify) y = g.slope == 0 ? relu(y) : leaky_relu(y, g.slope);
          store(g.y + at * view.pitch + c, y, channels);
        }
      }
    }
  }
}

void output(const TapTiles& t, const PixelView& view, const float* m, std::int64_t plane, const ConvGemm& g,
            std::int64_t row) {
  t.taps == 4 ? output_of<3>(t, view, m, plane, g, row) : output_of<5>(t, view, m, plane, g, row);
}

}  // namespace

const WinogradTapsKernels winograd_taps_kernels = {weights, input, output};

}  // namespace ipa::IPA_SIMD
