// Short copies, inlined: runs of a few dozen channels, for which a call of memcpy costs more than the copy.
#pragma once

#include <cstdint>
#include <cstring>

namespace ipa {

// The ranges must not overlap.
inline void copy_run(float* to, const float* from, std::int64_t count) {
  constexpr std::int64_t step = 8;
  if (count < step) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i];
    return;
  }
  for (std::int64_t i = 0; i < count - step; i += step) std::memcpy(to + i, from + i, step * sizeof(float));
  std::memcpy(to + count - step, from + count - step, step * sizeof(float));  // may repeat a part of the last one
}

}  // namespace ipa
