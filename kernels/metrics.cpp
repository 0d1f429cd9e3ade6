#include "kernels/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/error.h"
#include "kernels/grey.h"
#include "kernels/window_maps.h"

namespace ipa {
namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

// The mean of the windows centred on the region's pixels.
double region_mean(const WindowMap& map, std::span<const std::uint8_t> region, PlaneSize size) {
  double sum = 0;
  std::int64_t count = 0;
  for (int r = 0; r < map.size.height; ++r)
    for (int c = 0; c < map.size.width; ++c)
      if (region[size.at(r + map.offset, c + map.offset)] != 0) {
        sum += map.values[map.size.at(r, c)];
        ++count;
      }
  return count == 0 ? undefined : sum / static_cast<double>(count);
}

double mean_squared_error(std::span<const std::uint8_t> x, std::span<const std::uint8_t> y,
                          std::span<const std::uint8_t> region) {
  std::int64_t sum = 0, count = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    if (region[i] != 0) {
      const int difference = int{x[i]} - int{y[i]};
      sum += difference * difference;
      ++count;
    }
  return count == 0 ? undefined : static_cast<double>(sum) / static_cast<double>(count);
}

}  // namespace

std::string_view region_name(Region region) {
  constexpr std::array<std::string_view, all_regions.size()> names{"whole", "mask", "ring", "outside"};
  return names[static_cast<std::size_t>(region)];
}

std::vector<std::uint8_t> region_pixels(std::span<const std::uint8_t> mask, PlaneSize size, Region region) {
  std::vector<std::uint8_t> pixels(size.pixels(), 1);
  if (region == Region::whole) return pixels;
  require(mask.size() == size.pixels(), "region_pixels: the mask does not have the size given");
  if (region != Region::ring) {
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = (mask[i] != 0) == (region == Region::mask);
    return pixels;
  }
  std::fill(pixels.begin(), pixels.end(), std::uint8_t{0});
  const auto known = [&](int row, int column) {
    return row >= 0 && row < size.height && column >= 0 && column < size.width && mask[size.at(row, column)] == 0;
  };
  for (int r = 0; r < size.height; ++r)
    for (int c = 0; c < size.width; ++c) {
      // The hole's pixel nearest to one outside has a neighbour outside: the step toward that one.
      if (mask[size.at(r, c)] == 0) continue;
      if (!known(r - 1, c) && !known(r + 1, c) && !known(r, c - 1) && !known(r, c + 1)) continue;
      for (int dr = -ring_width; dr <= ring_width; ++dr)
        for (int dc = -ring_width; dc <= ring_width; ++dc) {
          if (dr * dr + dc * dc <= ring_width * ring_width && known(r + dr, c + dc))
            pixels[size.at(r + dr, c + dc)] = 1;
        }
    }
  return pixels;
}

SliceScores score_slice(std::span<const std::uint8_t> target, std::span<const std::uint8_t> output,
                        std::span<const std::uint8_t> mask, PlaneSize size) {
  require(target.size() == size.pixels() && output.size() == size.pixels() &&
              (mask.empty() || mask.size() == size.pixels()),
          "score_slice: the images do not have the size given");
  const WindowMap ssim = ssim_map(target, output, size);
  const UqiMaps uqi = uqi_maps(target, output, size);
  SliceScores scores;
  scores.regions.fill({undefined, undefined, undefined, undefined, undefined});
  for (Region region : all_regions) {
    if (mask.empty() && region != Region::whole) continue;
    const std::vector<std::uint8_t> pixels = region_pixels(mask, size, region);
    const double mse = mean_squared_error(target, output, pixels);
    scores[region] = {region_mean(ssim, pixels, size), 10 * std::log10(255.0 * 255.0 / mse), mse,
                      region_mean(uqi.wang, pixels, size), region_mean(uqi.sewar, pixels, size)};
  }
  return scores;
}

void quantize_u8(std::span<const float> image, float low, float high, std::span<std::uint8_t> out) {
  require(image.size() == out.size() && high > low, "quantize_u8: sizes or range do not fit");
  const float scale = 255.0f / (high - low);
  for (std::size_t i = 0; i < image.size(); ++i) out[i] = grey_level(image[i], low, scale);
}

}  // namespace ipa
