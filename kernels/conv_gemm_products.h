// A convolution's products of pixels, as conv_gemm.cpp and winograd_taps.cpp compute them.
#pragma once

#include <vector>

#include "kernels/conv.h"
#include "kernels/conv_gemm_kernels.h"

namespace ipa::gemm {

ConvGemm forward_product(const ConvGeometry& g);
std::vector<ConvGemm> dgrad_products(const ConvGeometry& g);

inline std::int64_t parts_of(std::int64_t count, std::int64_t size) { return (count + size - 1) / size; }
// Room for packed weights of so many columns: each panel is padded to at most a multiple of 8.
inline std::int64_t packed_columns(std::int64_t columns) { return parts_of(columns, 8) * 8; }

// A matrix of `count` rows of `channels` floats, `pitch` apart: what is multiplied as if its rows were an image's
// pixels.
inline PixelRows rows_of_matrix(const float* matrix, std::int64_t count, std::int64_t channels, std::int64_t pitch) {
  return {.images = 1,
          .height = 1,
          .width = count,
          .channels = channels,
          .grid_h = 1,
          .grid_w = count,
          .step = 1,
          .top = 0,
          .left = 0,
          .spacing = 1,
          .taps_h = 1,
          .taps_w = 1,
          .pixels = matrix,
          .pitch = pitch};
}

}  // namespace ipa::gemm
