// Where the VGG-19 weights of the style loss come from.
#pragma once

#include <filesystem>
#include <optional>

namespace ipa {

// --vgg, else $IPAMEDGAN_VGG, else where scripts/get-vgg19 puts it (~/.cache/ipamedgan). Throws ErrorKind::usage that
// says how to get the file, or how to train without it.
std::filesystem::path find_vgg19(const std::optional<std::filesystem::path>& given);

}  // namespace ipa
