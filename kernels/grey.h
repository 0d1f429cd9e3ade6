// Between 8-bit grey levels and numbers in a range, one pixel.
#pragma once

#include <cstdint>

#include "engine/host_device.h"

namespace ipa {

// 0..255 to [-1, 1].
IPA_HD float scaled_grey(std::uint8_t v) { return 2.0f * static_cast<float>(v) / 255.0f - 1.0f; }

// (v - low) scale, clipped to 0..255 and rounded to the nearest; NaN becomes 0.
IPA_HD std::uint8_t grey_level(float v, float low, float scale) {
  const float value = (v - low) * scale;
  return value > 0 ? static_cast<std::uint8_t>((value < 255.0f ? value : 255.0f) + 0.5f) : std::uint8_t{0};
}

}  // namespace ipa
