// What winograd_taps_simd.cpp and winograd_taps_wgrad_simd.cpp, compiled once per instruction set, offer to
// winograd_taps.cpp and winograd_taps_wgrad.cpp.
#pragma once

#include "kernels/conv_gemm_kernels.h"

namespace ipa {

// Every `step`-th pixel of a tensor's rows and columns, from pixel (top, left) on.
struct PixelView {
  std::int64_t images, height, width, channels, pitch;  // of the tensor
  std::int64_t step, top, left;
};

// Tiles of outputs x outputs pixels, image by image, row by row; `taps` of the kernel along one axis, outputs + taps
// = 7.
struct TapTiles {
  std::int64_t images, down, across, taps;
  std::int64_t outputs() const { return 7 - taps; }
  std::int64_t rows() const { return images * down; }
  std::int64_t count() const { return rows() * across; }
};

struct WinogradTapsKernels {
  // U = G g G^T of columns [column, column + 16) and all channels, into the packed weights of 36 products `planes`
  // apart, whose channels these are from `channel` on.
  void (*weights)(const ConvGemm& g, const float* w, std::int64_t taps, std::int64_t depth, std::int64_t channel,
                  std::int64_t column, float* packed, std::int64_t plane);
  // V = B^T d B of a row of tiles, d from pixel (first_row, first_col) of the view on; v[plane][tile][depth].
  void (*input)(const TapTiles& t, const PixelView& view, const float* x, std::int64_t first_row,
                std::int64_t first_col, std::int64_t row, float* v, std::int64_t depth, std::int64_t plane);
  // A^T m A of a row of tiles, with bias and activation, to the view; m[plane][tile][channels].
  void (*output)(const TapTiles& t, const PixelView& view, const float* m, std::int64_t plane, const ConvGemm& g,
                 std::int64_t row);
};

struct WinogradTapsWgradKernels {
  // A dy A^T of a row of tiles; m[plane][tile][channels].
  void (*output_gradient)(const TapTiles& t, const PixelView& view, const float* dy, std::int64_t row, float* m,
                          std::int64_t plane);
  // dw = G^T [sums] G of output channel `o` and the taps and channels of a term, of 36 sums of products as
  // ConvGemmWgradKernels leaves them, for `out` output channels.
  void (*weights)(const ConvGemm& g, std::int64_t taps, std::int64_t out, std::int64_t o, const float* sums,
                  std::int64_t plane, float* dw);
};

IPA_SIMD_DECLARE(WinogradTapsKernels, winograd_taps_kernels)
IPA_SIMD_DECLARE(WinogradTapsWgradKernels, winograd_taps_wgrad_kernels)

}  // namespace ipa
