// MultiRes-UNet (Ibtehaz and Rahman 2020, "MultiResUNet", the Keras version, which has the published parameter count)
// and ipA-MedGAN's generator, a cascade of two of them (arXiv 1910.09230, section 2.1; what it leaves open is in
// docs/numerics.md, "Open choices").
#pragma once

#include "nets/layers.h"
#include "nets/options.h"

namespace ipa {

// Filters of a MultiRes block of nominal width U: W = 1.67 U split in about 1/6, 1/3, 1/2, each truncated.
struct MultiResWidths {
  std::int64_t a, b, c;
  std::int64_t total() const { return a + b + c; }
};
MultiResWidths multires_widths(std::int64_t u);

enum class Head {
  image,         // 1x1 convolution with bias, tanh: intensities in [-1, 1]
  image_zeroed,  // the same, started at zero: a residual network starts as the identity
  segmentation,  // the original: 1x1 convolution, batch norm, sigmoid (to check the published parameter count)
};

// (N, H, W, Ci) to (N, H, W, 1); H and W multiples of 16. `layers`' network prefix and scope are its name's.
Value multires_unet(Layers& layers, Value x, std::int64_t width, Head head);

// y, the corrupted slice (N, H, W, 1) in [-1, 1], to the completed one. Networks "generator.0" and "generator.1".
Value generator(Layers& layers, Value y, const NetOptions& options);

// Declares the generator's parameters without keeping a graph.
void declare_generator(Parameters& parameters, const NetOptions& options);

BatchNormStyle generator_batch_norm(const NetOptions& options);  // Keras: eps 1e-3, momentum as set

}  // namespace ipa
