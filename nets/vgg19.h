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

// ReLU outputs of the first `count` convolutions for slices x (N, H, W, 1) in [-1, 1]. Parameters
// "vgg19.conv1_1.weight", ...
std::vector<Value> vgg19_features(Layers& layers, Value x, int count);

}  // namespace ipa
