// Where the VGG-19 weights of the style loss come from.
#pragma once

#include <filesystem>
#include <optional>

namespace ipa {

// --vgg, else $IPAMEDGAN_VGG, else where scripts/get-vgg19 puts it (~/.cache/ipamedgan). The file need not be there.
std::filesystem::path vgg19_path(const std::optional<std::filesystem::path>& given = {});

// The same. Throws ErrorKind::usage that says how to get the file, or how to train without it, where it is not there
// and was not named.
std::filesystem::path find_vgg19(const std::optional<std::filesystem::path>& given);

}  // namespace ipa
