#include "nets/vgg19.h"

#include <array>

namespace ipa {
namespace {
constexpr std::array<int, 5> block_sizes{2, 2, 4, 4, 4};

struct Place {
  int block, index;  // from 0
};
Place place(int conv) {
  int block = 0;
  while (conv >= block_sizes[static_cast<std::size_t>(block)]) conv -= block_sizes[static_cast<std::size_t>(block++)];
  return {block, conv};
}
}  // namespace

std::string vgg19_name(int index) {
  const Place p = place(index);
  return "conv" + std::to_string(p.block + 1) + "_" + std::to_string(p.index + 1);
}

std::int64_t vgg19_channels(int index) { return std::min(64 << place(index).block, 512); }

std::vector<Value> vgg19_features(Layers& layers, Value x, int count) {
  require(count >= 1 && count <= vgg19_convolutions, "vgg19: 1 to 16 convolutions");
  std::vector<Value> features;
  x = vgg_input(x);
  for (int i = 0; i < count; ++i) {
    if (i > 0 && place(i).index == 0) x = max_pool2(x);
    x = layers.conv(x, vgg19_name(i), vgg19_channels(i), 3, {.pad = 1}, relu_activation);
    features.push_back(x);
  }
  return features;
}

}  // namespace ipa
