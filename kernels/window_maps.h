// SSIM and UQI of every window of a slice; metrics.h averages them over regions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/plane.h"

namespace ipa {

// One value per window, windows in row order; the window (r, c) is centred on pixel (r + offset, c + offset). A slice
// smaller than the window has an empty map.
struct WindowMap {
  PlaneSize size;  // number of windows
  int offset = 0;
  std::vector<double> values;
};

// Wang et al. 2004: 11x11 Gaussian window of sigma 1.5, K1 0.01, K2 0.03, L 255, population moments, valid windows
// only: (2 mx my + C1)(2 sxy + C2) / ((mx^2 + my^2 + C1)(sx^2 + sy^2 + C2)); (H - 10, W - 10), offset 5.
WindowMap ssim_map(std::span<const std::uint8_t> x, std::span<const std::uint8_t> y, PlaneSize size);

struct UqiMaps {
  // Wang and Bovik 2002, 8x8 windows, S = sum over the window, N = 64:
  // q = 4 (N Sxy - Sx Sy) Sx Sy / ((N (Sxx + Syy) - Sx^2 - Sy^2) (Sx^2 + Sy^2)); where only the first factor of the
  // denominator is 0, 2 Sx Sy / (Sx^2 + Sy^2); where both are, 1. (H - 7, W - 7), offset 4.
  WindowMap wang;
  // The same with window means in the place of sums, as sewar.full_ref.uqi on floating-point images; it crops 4 pixels
  // on each side and so loses the last row and column of windows: (H - 8, W - 8), offset 4.
  WindowMap sewar;
};
UqiMaps uqi_maps(std::span<const std::uint8_t> x, std::span<const std::uint8_t> y, PlaneSize size);

}  // namespace ipa
