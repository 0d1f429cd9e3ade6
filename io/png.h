// 8-bit pictures for reports and TensorBoard.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ipa {

struct Image8 {
  int height = 0, width = 0, channels = 1;  // 1 grey, 3 RGB
  std::vector<uint8_t> pixels;              // (H, W, C)
};

std::string encode_png(const Image8& image);

// Each takes (H, W) values, row-major; NaN shows as the lowest value.
Image8 grey_image(std::span<const float> values, int height, int width, float low, float high);
Image8 difference_image(std::span<const float> values, int height, int width,
                        float limit);                                     // -limit blue, 0 white, limit red
Image8 overlay_image(const Image8& grey, std::span<const uint8_t> mask);  // RGB, the mask tinted

}  // namespace ipa
