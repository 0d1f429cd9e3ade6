#include "nets/discriminators.h"

#include <algorithm>
#include <string>

namespace ipa {

Discrimination discriminate(Layers& layers, Value pair, DiscriminatorKind kind, std::int64_t width) {
  const Activation leaky = leaky_relu_activation(0.2f);
  const int count = kind == DiscriminatorKind::patch ? 4 : 6;
  Discrimination result;
  Value x = pair;
  for (int layer = 1; layer <= count; ++layer) {
    const std::string name = "layer" + std::to_string(layer);
    const std::int64_t out = width * std::min<std::int64_t>(std::int64_t{1} << (layer - 1), 8);
    const ConvAttributes attributes{.stride = layer < count ? 2 : 1, .pad = 1};
    x = layer == 1 ? layers.conv(x, name + ".conv", out, 4, attributes, leaky)
                   : layers.conv_bn(x, name, out, 4, attributes, true, leaky);
    result.features.push_back(x);
  }
  result.score = layers.conv(x, "score", 1, 4, {.stride = 1, .pad = 1});
  return result;
}

const char* network_name(DiscriminatorKind kind) {
  return kind == DiscriminatorKind::patch ? "disc_patch" : "disc_global";
}

}  // namespace ipa
