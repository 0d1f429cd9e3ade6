#include "io/intensity.h"

#include <algorithm>

namespace ipa {

void scale(NumberType type, const void* intensities, uint64_t count, Range range, float* scaled) {
  const double half = range.hi > range.lo ? (range.hi - range.lo) / 2 : HUGE_VAL;
  with_number_type(type, [&](auto zero) {
    const auto* in = static_cast<const decltype(zero)*>(intensities);
    for (uint64_t i = 0; i < count; ++i)
      scaled[i] = static_cast<float>(std::clamp((static_cast<double>(in[i]) - range.lo) / half - 1, -1.0, 1.0));
  });
}

void unscale(const float* scaled, uint64_t count, Range range, NumberType type, void* intensities) {
  const double half = range.hi > range.lo ? (range.hi - range.lo) / 2 : 0;
  with_number_type(type, [&](auto zero) {
    using T = decltype(zero);
    auto* out = static_cast<T*>(intensities);
    for (uint64_t i = 0; i < count; ++i) out[i] = saturate<T>(range.lo + (double{scaled[i]} + 1) * half);
  });
}

void to_float(NumberType type, const void* values, uint64_t count, float* out) {
  with_number_type(type, [&](auto zero) {
    const auto* in = static_cast<const decltype(zero)*>(values);
    for (uint64_t i = 0; i < count; ++i) out[i] = static_cast<float>(in[i]);
  });
}

uint64_t first_non_finite(NumberType type, const void* values, uint64_t count) {
  return with_number_type(type, [&](auto zero) -> uint64_t {
    if constexpr (std::is_floating_point_v<decltype(zero)>) {
      const auto* in = static_cast<const decltype(zero)*>(values);
      return static_cast<uint64_t>(std::find_if(in, in + count, [](auto v) { return !std::isfinite(v); }) - in);
    } else {
      return count;
    }
  });
}

}  // namespace ipa
