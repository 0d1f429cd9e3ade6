// Slices of a stack as the image mathematics wants them.
#pragma once

#include <cstdint>
#include <vector>

#include "io/stack.h"
#include "kernels/plane.h"

namespace ipa {

// Throws ErrorKind::input where a side is beyond what slices have.
PlaneSize plane_size(const StackReader& stack);

// The intensity ranges of slices [first, first + count).
std::vector<Range> ranges_of(StackReader& stack, std::uint64_t first, std::uint64_t count);

// Slices [first, first + ranges.size()), each scaled to 0..255 by its range, as the metrics take them.
std::vector<std::uint8_t> read_8_bit(const StackReader& stack, std::uint64_t first, const std::vector<Range>& ranges);

}  // namespace ipa
