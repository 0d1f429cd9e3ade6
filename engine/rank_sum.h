// The order of sums over ranks on the host, and who computes which part of one.
#pragma once

#include <cstdint>
#include <span>

namespace ipa {

struct Range {
  std::int64_t first, count;
};

// Elements that `rank` sums for all: consecutive shares whose lengths differ by at most one.
constexpr Range share_of(std::int64_t elements, int rank, int size) {
  const std::int64_t first = elements * rank / size;
  return {first, elements * (rank + 1) / size - first};
}

// to[i] = ((parts[0][i] + parts[1][i]) + parts[2][i]) + ...; `to` may be parts[0] or any other part.
inline void sum_in_rank_order(float* to, std::span<float* const> parts, std::int64_t count) {
  constexpr std::int64_t block = 1024;  // stays in the first cache while the ranks' parts pass by
  float sum[block];
  for (std::int64_t at = 0; at < count; at += block) {
    const std::int64_t n = count - at < block ? count - at : block;
    for (std::int64_t i = 0; i < n; ++i) sum[i] = parts[0][at + i];
    for (std::size_t r = 1; r < parts.size(); ++r)
      for (std::int64_t i = 0; i < n; ++i) sum[i] += parts[r][at + i];
    for (std::int64_t i = 0; i < n; ++i) to[at + i] = sum[i];
  }
}

}  // namespace ipa
