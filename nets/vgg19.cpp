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

Value Vgg19Features::next() {
  require(index_ < vgg19_convolutions, "vgg19: has 16 convolutions");
  const Graph::Scope scope(*last_.graph, "vgg19");
  if (index_ > 0 && place(index_).index == 0) last_ = max_pool2(last_);
  last_ = layers_.conv(last_, vgg19_name(index_), vgg19_channels(index_), 3, {.pad = 1}, relu_activation);
  ++index_;
  return last_;
}

std::vector<Value> vgg19_features(Layers& layers, Value x, int count) {
  Vgg19Features features(layers, x);
  std::vector<Value> first;
  for (int i = 0; i < count; ++i) first.push_back(features.next());
  return first;
}

}  // namespace ipa
