// The feature extractor of the style loss: the first convolutions of VGG-19 (Simonyan and Zisserman 2015, configuration
// E), frozen, with ImageNet weights in Caffe's convention (0..255, BGR, mean subtracted).
#pragma once

#include <string>
#include <vector>

#include "nets/layers.h"

namespace ipa {

constexpr int vgg19_convolutions = 16;
std::string vgg19_name(int index);       // 0 -> "conv1_1"
std::int64_t vgg19_channels(int index);  // outputs of convolution `index`

// The ReLU outputs of its convolutions for slices x (N, H, W, 1) in [-1, 1], appended one by one, so that a loss can
// follow each feature: it then dies, and its gradient is made, before the next one's. Parameters
// "vgg19.conv1_1.weight", ...
class Vgg19Features {
 public:
  Vgg19Features(Layers& layers, Value x) : layers_(layers), last_(vgg_input(x)) {}
  Value next();  // at most vgg19_convolutions times

 private:
  Layers& layers_;
  Value last_;
  int index_ = 0;
};

std::vector<Value> vgg19_features(Layers& layers, Value x, int count);  // the first `count`

}  // namespace ipa
