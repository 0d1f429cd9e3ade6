// Making a training input from a slice: blanking a hole, flipping left and right. Any pixel type.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>

#include "engine/error.h"
#include "kernels/plane.h"

namespace ipa {

// The pixel value of an intensity given as a fraction of [low, high]: 0 is black. Rounded and clamped for integer
// types.
template <class T>
T hole_value(double fraction, double low, double high) {
  const double value = low + fraction * (high - low);
  if constexpr (std::is_integral_v<T>) {
    const double least = static_cast<double>(std::numeric_limits<T>::lowest());
    const double most = static_cast<double>(std::numeric_limits<T>::max());
    return static_cast<T>(std::clamp(std::nearbyint(value), least, most));
  } else {
    return static_cast<T>(value);
  }
}

// Sets the pixels where `mask` is non-zero to `value`; all others stay bit for bit.
template <class T>
void blank(std::span<T> image, std::span<const std::uint8_t> mask, std::type_identity_t<T> value) {
  require(image.size() == mask.size(), "blank: image and mask differ in size");
  for (std::size_t i = 0; i < image.size(); ++i)
    if (mask[i] != 0) image[i] = value;
}

// Mirrors every row in place.
template <class T>
void flip_left_right(std::span<T> image, PlaneSize size) {
  require(image.size() == size.pixels(), "flip_left_right: the image has another size");
  for (int row = 0; row < size.height; ++row)
    std::reverse(image.begin() + static_cast<std::ptrdiff_t>(size.at(row, 0)),
                 image.begin() + static_cast<std::ptrdiff_t>(size.at(row, 0)) + size.width);
}

}  // namespace ipa
