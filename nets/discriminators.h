// The two conditional discriminators, as in pix2pix (Isola et al. 2017, appendix 6.1.2): 4x4 convolutions, padding 1,
// LeakyReLU 0.2, batch norm from the second layer on, a one-channel score map of logits at the end.
#pragma once

#include <vector>

#include "nets/layers.h"

namespace ipa {

enum class DiscriminatorKind {
  patch,   // 4 layers, receptive field 70x70, 30x30 scores of a 256x256 slice
  global,  // 6 layers, receptive field 286x286, 6x6 scores
};

struct Discrimination {
  Value score;                  // (N, H', W', 1), logits
  std::vector<Value> features;  // after each layer's LeakyReLU
};

// `pair` is concat(y, image): (N, H, W, 2).
Discrimination discriminate(Layers& layers, Value pair, DiscriminatorKind kind, std::int64_t width);

constexpr BatchNormStyle discriminator_batch_norm{1e-5f, 0.1f, Init::gamma_002};
const char* network_name(DiscriminatorKind kind);  // "disc_patch", "disc_global"

}  // namespace ipa
