// Exact percentiles of more values than one would like to hold in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace ipa {

// Shows every value, in any blocks, to its argument; called twice.
using ForEachBlock = std::function<void(const std::function<void(std::span<const float>)>&)>;

struct Range {  // of intensities
  double lo = 0, hi = 0;
  bool operator==(const Range&) const = default;
};

// The minimum and the p-th percentile (0..100) of all values, with linear interpolation between neighbours as
// numpy.percentile does. Values are finite. Two passes over float bit patterns in sorted order: first the upper 16 bits
// are counted, then the lower 16 of those that share the upper ones sought. No values: {0, 0}.
Range minimum_and_percentile(double p, const ForEachBlock& for_each);

// The range that a subject's intensities are scaled by: 0 and the 99.5th percentile of the positive values, which
// neither black background nor a few bright pixels move.
Range robust_range(const ForEachBlock& for_each);

}  // namespace ipa
