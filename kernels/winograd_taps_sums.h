// What winograd_taps.cpp and winograd_taps_wgrad.cpp share: a convolution as a sum over views of its input, tile by
// tile.
#pragma once

#include <vector>

#include "kernels/conv_gemm_products.h"
#include "kernels/winograd_taps_kernels.h"

namespace ipa::winograd_taps {

constexpr std::int64_t planes = 36;  // products per tile and pair of channels

// Pixels that are read, and the weights they meet: taps next to one another in the view.
struct Term {
  PixelView view;
  std::int64_t first_row, first_col;
  ConvGemm product;  // for its weights and channels
};

// Terms, whose channels are summed together, and where the sums go.
struct Sum {
  std::vector<Term> terms;
  PixelView to;
  TapTiles tiles;
};

Sum forward_sum(const ConvGeometry& g);  // one term at stride 1, four at stride 2

}  // namespace ipa::winograd_taps
