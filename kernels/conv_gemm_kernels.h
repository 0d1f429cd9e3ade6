// What conv_gemm_simd.cpp and conv_gemm_wgrad_simd.cpp, compiled once per instruction set, offer to conv_gemm.cpp.
#pragma once

#include <cstdint>

#include "kernels/simd_level.h"

namespace ipa {

// A matrix with a row for each point (n, i, j) of a grid: the channels of taps_h x taps_w pixels of image n, `spacing`
// apart, from pixel (i step + top, j step + left) on. What lies outside of the image is 0.
struct PixelRows {
  std::int64_t images, height, width, channels;
  std::int64_t grid_h, grid_w, step, top, left, spacing, taps_h, taps_w;
  const float* pixels;
  std::int64_t pitch;

  std::int64_t points() const { return images * grid_h * grid_w; }
  std::int64_t columns() const { return taps_h * taps_w * channels; }
};

// The other factor, as the weights of a convolution have it: element [tap (a, b), channel][column] is
// w[column * column_stride + channel * channel_stride + (row + a row_step) * row_stride + (col + b col_step) *
// col_stride].
struct ConvGemmWeights {
  std::int64_t columns, column_stride, channel_stride, row_stride, col_stride, row, row_step, col, col_step;
};

// y[pixel (i y_step + y_top, j y_step + y_left), :] = a(rows * weights + added + bias) for the points (n, i, j).
struct ConvGemm {
  PixelRows rows;
  ConvGemmWeights weights;
  std::int64_t y_height, y_width, y_step, y_top, y_left;
  std::int64_t packed_at;  // where in the workspace the packed weights begin, in floats
  const float* packed;
  float* y;
  std::int64_t y_pitch;
  const float* added;  // where y begins, what is added to it; may be y; or null
  const float* bias;   // or null
  bool rectify;       // below 0 y becomes slope * y, or 0 where the slope is 0
  float slope;
};

struct ConvGemmKernels {
  std::int64_t panel;  // columns that are packed together; a panel of fewer is padded to at most a multiple of 8
  std::int64_t block;  // points for which the rows are in the cache together
  // Packs one tap of a panel from `column` on.
  void (*pack)(const ConvGemm& g, const float* w, std::int64_t tap, std::int64_t column, float* packed);
  // Points [first, last), at most a block, by columns [first_column, last_column), the first of a panel's.
  void (*multiply)(const ConvGemm& g, std::int64_t first, std::int64_t last, std::int64_t first_column,
                   std::int64_t last_column);
};

// dw[o, :] = sum of dy[point, o] * rows[point, :] over all points.
struct ConvGemmWgrad {
  PixelRows rows;
  const float* dy;
  std::int64_t dy_pitch, out;  // channels of dy
};

struct ConvGemmWgradKernels {
  std::int64_t panel, block;
  // The sum over points [first, last) in columns [first_column, last_column), the first of a panel's. It goes to dw, or
  // where that is null to `sums`, which has room for all columns, padded to a multiple of 8, times `out`.
  void (*accumulate)(const ConvGemmWgrad& g, std::int64_t first, std::int64_t last, std::int64_t first_column,
                     std::int64_t last_column, float* sums, float* dw);
  // Row `o` of dw from `parts` of such sums, `part_stride` apart.
  void (*add_up)(const ConvGemmWgrad& g, std::int64_t o, const float* sums, std::int64_t parts,
                 std::int64_t part_stride, float* dw);
};

IPA_SIMD_DECLARE(ConvGemmKernels, conv_gemm_kernels)
IPA_SIMD_DECLARE(ConvGemmWgradKernels, conv_gemm_wgrad_kernels)

}  // namespace ipa
