// The composite of blind inpainting: where the network changed a slice, and a result that is the input everywhere else.
// Every pixel of the map is a function of out - in near it. All steps are monotone in the threshold (a higher one never
// adds a pixel), which is what makes calibration by bisection exact.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/error.h"
#include "kernels/plane.h"

namespace ipa {

// Smoothed difference above `threshold`, opened by a square of 2 open_radius + 1, closed by one of 2 close_radius + 1,
// components (8 neighbours) below min_area pixels removed, grown by dilate_radius. Radii of 0 leave a step out.
struct ChangeMapOptions {
  double threshold = 0;
  int open_radius = 1;
  int close_radius = 3;
  int min_area = 25;  // pixels
  int dilate_radius = 1;
};

// For models without a calibrated threshold, on the scale [-1, 1]: 5 % of the intensity range.
inline constexpr double default_change_threshold = 0.1;
// No calibration goes below one grey level of 255.
inline constexpr double least_change_threshold = 2.0 / 255;

// |out - in| averaged over 3x3 pixels (fewer at the border). A NaN reaches its own neighbourhood only, where nothing
// changes.
std::vector<float> smoothed_difference(std::span<const float> in, std::span<const float> out, PlaneSize size);

// 1 where the slice was changed. `difference` is a smoothed_difference.
std::vector<std::uint8_t> change_map(std::span<const float> difference, PlaneSize size,
                                     const ChangeMapOptions& options);

// The lowest threshold, to 1e-4 of itself, at which the mean share of changed pixels over clean slices (their smoothed
// differences) is at most `rate`, but not below least_change_threshold. The threshold in `options` is ignored.
// The rate is that of these slices: give it slices the training has not seen, and a bound with some margin.
double calibrate_threshold(std::span<const std::vector<float>> clean_differences, PlaneSize size, double rate,
                           const ChangeMapOptions& options = {});

// The mean share of changed pixels over slices.
double change_rate(std::span<const std::vector<float>> differences, PlaneSize size, const ChangeMapOptions& options);

// Clears the map outside a mask.
void restrict_to_mask(std::span<std::uint8_t> map, std::span<const std::uint8_t> mask);

// `out` where map is non-zero, `in` bit for bit elsewhere; `result` may be `in` or `out` itself.
template <class T>
void composite(std::span<const T> in, std::span<const T> out, std::span<const std::uint8_t> map, std::span<T> result) {
  require(in.size() == out.size() && in.size() == map.size() && in.size() == result.size(),
          "composite: the images differ in size");
  for (std::size_t i = 0; i < in.size(); ++i) result[i] = map[i] != 0 ? out[i] : in[i];
}

}  // namespace ipa
