#include "kernels/change_map.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace ipa {
namespace {

using Bits = std::vector<std::uint8_t>;

// Maximum (grow) or minimum over a square of side 2 radius + 1, rows then columns; beyond the border nothing counts.
template <bool grow>
void square_filter(Bits& map, PlaneSize size, int radius) {
  const auto line = [radius](std::uint8_t* start, int length, std::ptrdiff_t stride, Bits& copy) {
    for (int i = 0; i < length; ++i) copy[static_cast<std::size_t>(i)] = start[i * stride];
    int last = -radius - 1;  // the last position seen of a pixel that decides: set when growing, clear when shrinking
    for (int i = -radius; i < length; ++i) {
      const int ahead = i + radius;
      if (ahead < length && (copy[static_cast<std::size_t>(ahead)] != 0) == grow) last = ahead;
      if (i >= 0 && last >= i - radius) start[i * stride] = grow;
    }
  };
  Bits copy(static_cast<std::size_t>(std::max(size.height, size.width)));
  for (int row = 0; row < size.height; ++row) line(map.data() + size.at(row, 0), size.width, 1, copy);
  for (int column = 0; column < size.width; ++column) line(map.data() + column, size.height, size.width, copy);
}

void dilate(Bits& map, PlaneSize size, int radius) {
  if (radius > 0) square_filter<true>(map, size, radius);
}
void erode(Bits& map, PlaneSize size, int radius) {
  if (radius > 0) square_filter<false>(map, size, radius);
}

void remove_small(Bits& map, PlaneSize size, int min_area) {
  Bits seen(map.size());
  std::vector<std::size_t> component;
  for (std::size_t start = 0; start < map.size(); ++start) {
    if (map[start] == 0 || seen[start] != 0) continue;
    component.assign(1, start);
    seen[start] = 1;
    for (std::size_t next = 0; next < component.size(); ++next) {
      const int row = static_cast<int>(component[next] / static_cast<std::size_t>(size.width));
      const int column = static_cast<int>(component[next] % static_cast<std::size_t>(size.width));
      for (int r = std::max(row - 1, 0); r <= std::min(row + 1, size.height - 1); ++r)
        for (int c = std::max(column - 1, 0); c <= std::min(column + 1, size.width - 1); ++c)
          if (const std::size_t i = size.at(r, c); map[i] != 0 && seen[i] == 0) {
            seen[i] = 1;
            component.push_back(i);
          }
    }
    if (component.size() < static_cast<std::size_t>(std::max(min_area, 0)))
      for (const std::size_t i : component) map[i] = 0;
  }
}

}  // namespace

std::vector<float> smoothed_difference(std::span<const float> in, std::span<const float> out, PlaneSize size) {
  require(in.size() == size.pixels() && out.size() == size.pixels(), "smoothed_difference: the images differ in size");
  std::vector<float> difference(size.pixels()), along(size.pixels()), smooth(size.pixels());
  for (std::size_t i = 0; i < in.size(); ++i) difference[i] = std::abs(out[i] - in[i]);
  // The mean over up to 3 pixels along a line; plain sums, so that a NaN goes no further.
  const auto mean3 = [](const float* from, float* to, int position, int length, std::ptrdiff_t stride) {
    float sum = *from, count = 1;
    if (position > 0) sum += from[-stride], ++count;
    if (position < length - 1) sum += from[stride], ++count;
    *to = sum / count;
  };
  for (int r = 0; r < size.height; ++r)
    for (int c = 0; c < size.width; ++c)
      mean3(difference.data() + size.at(r, c), along.data() + size.at(r, c), c, size.width, 1);
  for (int r = 0; r < size.height; ++r)
    for (int c = 0; c < size.width; ++c)
      mean3(along.data() + size.at(r, c), smooth.data() + size.at(r, c), r, size.height, size.width);
  return smooth;
}

std::vector<std::uint8_t> change_map(std::span<const float> difference, PlaneSize size,
                                     const ChangeMapOptions& options) {
  require(difference.size() == size.pixels(), "change_map: the difference does not have the size given");
  Bits map(size.pixels());
  bool any = false;
  for (std::size_t i = 0; i < map.size(); ++i) {
    map[i] = double{difference[i]} > options.threshold;
    any = any || map[i] != 0;
  }
  if (!any) return map;
  erode(map, size, options.open_radius);
  dilate(map, size, options.open_radius);
  dilate(map, size, options.close_radius);
  erode(map, size, options.close_radius);
  remove_small(map, size, options.min_area);
  dilate(map, size, options.dilate_radius);
  return map;
}

double change_rate(std::span<const std::vector<float>> differences, PlaneSize size, const ChangeMapOptions& options) {
  require(!differences.empty(), "change_rate: no slices");
  std::int64_t changed = 0;
  const auto count = static_cast<std::int64_t>(differences.size());
  for (const auto& difference : differences)
    require(difference.size() == size.pixels(), "change_rate: a difference does not have the size given");
#pragma omp parallel for schedule(dynamic) reduction(+ : changed)
  for (std::int64_t i = 0; i < count; ++i)
    for (const std::uint8_t pixel : change_map(differences[static_cast<std::size_t>(i)], size, options))
      changed += pixel;
  return static_cast<double>(changed) / (static_cast<double>(size.pixels()) * static_cast<double>(count));
}

double calibrate_threshold(std::span<const std::vector<float>> clean_differences, PlaneSize size, double rate,
                           const ChangeMapOptions& options) {
  require(rate >= 0 && !clean_differences.empty(), "calibrate_threshold: no slices, or a negative rate");
  const auto rate_at = [&](double threshold) {
    ChangeMapOptions at = options;
    at.threshold = threshold;
    return change_rate(clean_differences, size, at);
  };
  double low = least_change_threshold, high = low;
  if (rate_at(low) <= rate) return low;
  for (const auto& difference : clean_differences)
    for (const float value : difference)
      if (std::isfinite(value)) high = std::max(high, double{value});
  // Nothing lies above the maximum, so the rate there is 0 (infinite differences, which no threshold silences, apart).
  if (rate_at(high) > rate) return high;
  while (high - low > 1e-4 * high) {
    const double middle = (low + high) / 2;
    (rate_at(middle) <= rate ? high : low) = middle;
  }
  return high;
}

void restrict_to_mask(std::span<std::uint8_t> map, std::span<const std::uint8_t> mask) {
  require(map.size() == mask.size(), "restrict_to_mask: map and mask differ in size");
  for (std::size_t i = 0; i < map.size(); ++i)
    if (mask[i] == 0) map[i] = 0;
}

}  // namespace ipa
