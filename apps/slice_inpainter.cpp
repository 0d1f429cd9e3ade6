#include "apps/slice_inpainter.h"

#include <algorithm>
#include <cstring>

#include "kernels/change_map.h"

namespace ipa {
namespace {

constexpr double largest_hole = 0.0625;  // of a slice: the square; arbitrary training masks cover up to 5.46 %

}  // namespace

SliceInpainter::SliceInpainter(const Model& model, Composite composite, const SliceNetworkOptions& options)
    : network_(model, options), composite_(composite), threshold_(model.change_threshold) {}

void SliceInpainter::run(NumberType type, const void* slices, std::span<const Range> ranges, PlaneSize size,
                         std::span<const std::uint8_t> masks, void* result, std::span<std::uint8_t> change) {
  const std::size_t n = size.pixels(), element = bytes_of(type), bytes = n * element;
  require(change.size() == ranges.size() * n && (masks.empty() || masks.size() == change.size()),
          "inpaint: sizes differ");
  require(composite_ != Composite::mask || !masks.empty(), "inpaint: no masks to composite by");
  in_.resize(ranges.size() * n);
  out_.resize(in_.size());
  made_.resize(bytes);
  const auto* source = static_cast<const char*>(slices);
  auto* target = static_cast<char*>(result);
  for (std::size_t i = 0; i < ranges.size(); ++i) scale(type, source + i * bytes, n, ranges[i], in_.data() + i * n);
  network_.run(in_, size, out_);

  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const std::span<const float> in = std::span(in_).subspan(i * n, n), out = std::span(out_).subspan(i * n, n);
    const std::span<std::uint8_t> map = change.subspan(i * n, n);
    const char* original = source + i * bytes;
    unscale(out.data(), n, ranges[i], type, made_.data());
    const std::span<const std::uint8_t> mask = masks.empty() ? masks : masks.subspan(i * n, n);
    switch (composite_) {
      case Composite::automatic: {
        ChangeMapOptions options;
        options.threshold = threshold_;
        std::ranges::copy(change_map(smoothed_difference(in, out, size), size, options), map.begin());
        if (!mask.empty()) restrict_to_mask(map, mask);
        break;
      }
      case Composite::mask:
        std::ranges::copy(mask, map.begin());
        break;
      case Composite::none:
        for (std::size_t p = 0; p < n; ++p)
          map[p] = std::memcmp(original + p * element, made_.data() + p * element, element) != 0;
        break;
    }
    std::memcpy(target + i * bytes, original, bytes);
    for (std::size_t p = 0; p < n; ++p)
      if (map[p]) std::memcpy(target + i * bytes + p * element, made_.data() + p * element, element);

    const auto changed = static_cast<std::int64_t>(std::ranges::count_if(map, [](std::uint8_t m) { return m != 0; }));
    ++totals_.slices;
    totals_.changed_slices += changed > 0;
    totals_.changed_pixels += changed;
    totals_.pixels += static_cast<std::int64_t>(n);
    totals_.large += static_cast<double>(changed) > largest_hole * static_cast<double>(n);
  }
}

}  // namespace ipa
