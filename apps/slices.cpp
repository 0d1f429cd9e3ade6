#include "apps/slices.h"

#include <fmt/core.h>

#include <span>

#include "engine/error.h"
#include "kernels/metrics.h"

namespace ipa {

PlaneSize plane_size(const StackReader& stack) {
  constexpr std::uint64_t most_side = 1 << 14;
  const StackInfo& info = stack.info();
  if (info.height > most_side || info.width > most_side)
    fail(ErrorKind::input, fmt::format("slices of {}x{} pixels", info.height, info.width), stack.file().path().string(),
         fmt::format("sides may have up to {}", most_side));
  return {static_cast<int>(info.height), static_cast<int>(info.width)};
}

std::vector<Range> ranges_of(StackReader& stack, std::uint64_t first, std::uint64_t count) {
  std::vector<Range> ranges;
  for (std::uint64_t i = first; i < first + count; ++i) ranges.push_back(stack.range(i));
  return ranges;
}

std::vector<std::uint8_t> read_8_bit(const StackReader& stack, std::uint64_t first, const std::vector<Range>& ranges) {
  const size_t pixels = plane_size(stack).pixels();
  std::vector<char> raw(ranges.size() * stack.slice_bytes());
  std::vector<float> values(pixels);
  std::vector<std::uint8_t> grey(ranges.size() * pixels);
  stack.read(first, ranges.size(), raw.data());
  for (size_t i = 0; i < ranges.size(); ++i) {
    to_float(stack.info().type, raw.data() + i * stack.slice_bytes(), pixels, values.data());
    quantize_u8(values, static_cast<float>(ranges[i].lo), static_cast<float>(ranges[i].hi),
                std::span(grey).subspan(i * pixels, pixels));
  }
  return grey;
}

}  // namespace ipa
