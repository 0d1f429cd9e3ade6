#include "io/png.h"

#include <png.h>

#include <algorithm>
#include <cmath>

#include "engine/error.h"

namespace ipa {
namespace {

uint8_t to_byte(float unit) { return static_cast<uint8_t>(std::lround(255.f * std::clamp(unit, 0.f, 1.f))); }

float finite_or(float value, float other) { return std::isnan(value) ? other : value; }

void check(size_t count, int height, int width) {
  require(height > 0 && width > 0 && count == static_cast<size_t>(height) * static_cast<size_t>(width),
          "image: the values do not fill height x width");
}

}  // namespace

std::string encode_png(const Image8& image) {
  require(image.channels == 1 || image.channels == 3, "png: 1 or 3 channels");
  check(image.pixels.size() / static_cast<size_t>(image.channels), image.height, image.width);
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.width);
  png.height = static_cast<png_uint_32>(image.height);
  png.format = image.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::string bytes(size, '\0');
  if (!png_image_write_to_memory(&png, bytes.data(), &size, 0, image.pixels.data(), 0, nullptr))
    fail(ErrorKind::internal, std::string("png: ") + png.message);
  bytes.resize(size);
  return bytes;
}

Image8 grey_image(std::span<const float> values, int height, int width, float low, float high) {
  check(values.size(), height, width);
  require(low < high, "grey_image: low < high");
  Image8 image{height, width, 1, {}};
  image.pixels.reserve(values.size());
  for (float v : values) image.pixels.push_back(to_byte((finite_or(v, low) - low) / (high - low)));
  return image;
}

Image8 difference_image(std::span<const float> values, int height, int width, float limit) {
  check(values.size(), height, width);
  require(limit > 0, "difference_image: limit > 0");
  Image8 image{height, width, 3, {}};
  image.pixels.reserve(3 * values.size());
  for (float v : values) {
    const float t = std::clamp(finite_or(v, -limit) / limit, -1.f, 1.f), s = std::abs(t);
    const float full[3] = {t > 0 ? 0.70f : 0.13f, t > 0 ? 0.09f : 0.40f,
                           t > 0 ? 0.17f : 0.67f};  // ColorBrewer RdBu's ends
    for (float end : full) image.pixels.push_back(to_byte(1.f + s * (end - 1.f)));
  }
  return image;
}

Image8 overlay_image(const Image8& grey, std::span<const uint8_t> mask) {
  require(grey.channels == 1 && mask.size() == grey.pixels.size(),
          "overlay_image: a grey image and a mask of its size");
  Image8 image{grey.height, grey.width, 3, {}};
  image.pixels.reserve(3 * mask.size());
  constexpr float tint[3] = {1.f, 0.55f, 0.f};
  for (size_t i = 0; i < mask.size(); ++i) {
    const float g = static_cast<float>(grey.pixels[i]) / 255.f;
    for (float t : tint) image.pixels.push_back(to_byte(mask[i] ? 0.45f * g + 0.55f * t : g));
  }
  return image;
}

}  // namespace ipa
