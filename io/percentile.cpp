#include "io/percentile.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <vector>

namespace ipa {
namespace {

// Order-preserving: positive floats get the top bit, negative ones are turned upside down.
uint32_t key_of(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

float value_of(uint32_t key) { return std::bit_cast<float>(key & 0x80000000u ? key & 0x7fffffffu : ~key); }

using Histogram = std::vector<uint64_t>;  // of 2^16 bins

// The bin that holds the value of the given rank; `rank` becomes the rank within it.
uint32_t find_bin(const Histogram& histogram, uint64_t& rank) {
  uint32_t bin = 0;
  while (rank >= histogram[bin]) rank -= histogram[bin++];
  return bin;
}

}  // namespace

Range minimum_and_percentile(double p, const ForEachBlock& for_each) {
  Histogram upper(1 << 16);
  uint64_t count = 0;
  for_each([&](std::span<const float> values) {
    for (const float value : values) ++upper[key_of(value) >> 16];
    count += values.size();
  });
  if (count == 0) return {};

  const double position = p / 100 * static_cast<double>(count - 1);
  const auto below = static_cast<uint64_t>(position);
  // Sought: the minimum and the two neighbours of the percentile.
  std::array<uint64_t, 3> rank = {0, below, std::min(below + 1, count - 1)};
  std::array<uint32_t, 3> bin;
  std::array<Histogram, 3> lower;
  for (size_t i = 0; i < 3; ++i) {
    bin[i] = find_bin(upper, rank[i]);
    lower[i].resize(1 << 16);
  }
  for_each([&](std::span<const float> values) {
    for (const float value : values) {
      const uint32_t key = key_of(value);
      for (size_t i = 0; i < 3; ++i)
        if (key >> 16 == bin[i]) ++lower[i][key & 0xffff];
    }
  });
  std::array<double, 3> found;
  for (size_t i = 0; i < 3; ++i) found[i] = value_of(bin[i] << 16 | find_bin(lower[i], rank[i]));
  return {found[0], std::lerp(found[1], found[2], position - static_cast<double>(below))};
}

Range robust_range(const ForEachBlock& for_each) {
  std::vector<float> positive;
  const auto only_positive = [&](const auto& visit) {
    for_each([&](std::span<const float> values) {
      positive.clear();
      std::copy_if(values.begin(), values.end(), std::back_inserter(positive), [](float v) { return v > 0; });
      visit(positive);
    });
  };
  return {0, minimum_and_percentile(99.5, only_positive).hi};
}

}  // namespace ipa
