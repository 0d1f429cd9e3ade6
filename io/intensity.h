// Between a file's intensities and the network's [-1, 1].
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "io/number_type.h"
#include "io/percentile.h"

namespace ipa {

// x = 2 (v - lo) / (hi - lo) - 1, clipped to [-1, 1]; an empty range gives -1.
void scale(NumberType type, const void* intensities, uint64_t count, Range range, float* scaled);

// v = lo + (x + 1) / 2 (hi - lo); integers are rounded to nearest and clamped to their type. Undoes `scale` exactly for
// integers of up to 16 bits inside the range.
void unscale(const float* scaled, uint64_t count, Range range, NumberType type, void* intensities);

void to_float(NumberType type, const void* values, uint64_t count, float* out);

// Rounds (integers: to nearest, ties to even) and clamps to what T holds.
template <class T>
T saturate(double value) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else {
    constexpr auto least = static_cast<double>(std::numeric_limits<T>::min());
    constexpr auto most = static_cast<double>(std::numeric_limits<T>::max());  // of 64 bits: rounded up to 2^k
    const double rounded = std::nearbyint(value);
    if (!(rounded > least)) return std::numeric_limits<T>::min();  // and of a NaN
    return rounded >= most ? std::numeric_limits<T>::max() : static_cast<T>(rounded);
  }
}

// The first value that is NaN or infinite, or `count`; always `count` for integers.
uint64_t first_non_finite(NumberType type, const void* values, uint64_t count);

}  // namespace ipa
