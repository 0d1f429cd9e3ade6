// VGG-19 (Simonyan & Zisserman 2014) from the HDF5 file that Keras publishes:
// vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5.
#pragma once

#include <filesystem>
#include <string>

#include "engine/weights.h"

namespace ipa {

inline constexpr int kVggConvolutions = 16;

// How to call scripts/get-vgg19, which fetches that file: by its whole path where it was installed with this program.
std::string get_vgg19_script();

// The first `layers` (1..16) convolutions: vgg19.conv1_1.weight (64, 3, 3, 3), vgg19.conv1_1.bias (64), ...,
// vgg19.conv5_4.bias. Reads the old names (block1_conv1_W_1:0) and the newer (block1_conv1/kernel:0), at the top or
// below /model_weights; the file may hold no more than that prefix. Throws ErrorKind::input for a missing layer or
// wrong shape, ErrorKind::io for no file.
WeightMap read_vgg19(const std::filesystem::path& path, int layers);

}  // namespace ipa
