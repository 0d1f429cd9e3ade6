// The size of one 2-D image; pixels lie row by row without gaps, so (row, column) is element row * width + column.
#pragma once

#include <cstddef>

namespace ipa {

struct PlaneSize {
  int height = 0;
  int width = 0;
  constexpr std::size_t pixels() const { return static_cast<std::size_t>(height) * static_cast<std::size_t>(width); }
  constexpr std::size_t at(int row, int column) const {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(width) + static_cast<std::size_t>(column);
  }
  friend constexpr bool operator==(const PlaneSize&, const PlaneSize&) = default;
};

}  // namespace ipa
