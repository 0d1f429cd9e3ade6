// Image quality of one 8-bit slice against its target: MSE, PSNR, SSIM (Wang, Bovik, Sheikh, Simoncelli 2004) and UQI
// (Wang and Bovik 2002), on the whole slice and around a hole. One call uses one thread; slices may be scored in
// parallel.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/plane.h"

namespace ipa {

// ring: pixels outside the mask within `ring_width` (Euclidean) of one inside; outside: all pixels not in the mask.
enum class Region { whole, mask, ring, outside };
inline constexpr std::array<Region, 4> all_regions{Region::whole, Region::mask, Region::ring, Region::outside};
inline constexpr int ring_width = 5;
std::string_view region_name(Region region);

// NaN: undefined, because the region has no pixel (mse, psnr) or no window centre (the others).
// psnr is +infinity where mse is 0; averages leave both out.
struct Scores {
  double ssim;
  double psnr;       // dB, 10 log10(255^2 / mse)
  double mse;        // grey levels squared
  double uqi;        // Wang and Bovik's
  double uqi_sewar;  // as the Python package sewar computes it on floating-point images
};

struct Metric {
  std::string_view name;
  double Scores::*member;
};
inline constexpr std::array<Metric, 5> all_metrics{{{"ssim", &Scores::ssim},
                                                    {"psnr", &Scores::psnr},
                                                    {"mse", &Scores::mse},
                                                    {"uqi", &Scores::uqi},
                                                    {"uqi_sewar", &Scores::uqi_sewar}}};

struct SliceScores {
  std::array<Scores, all_regions.size()> regions;
  const Scores& operator[](Region region) const { return regions[static_cast<std::size_t>(region)]; }
  Scores& operator[](Region region) { return regions[static_cast<std::size_t>(region)]; }
};

// `mask`: non-zero in the hole; an empty span leaves every region but `whole` undefined. SSIM and UQI of a region
// average the windows whose centre lies in it, `whole` all windows; the centre of the even 8x8 window is row 4, column
// 4 of it.
SliceScores score_slice(std::span<const std::uint8_t> target, std::span<const std::uint8_t> output,
                        std::span<const std::uint8_t> mask, PlaneSize size);

// 1 for every pixel of the region.
std::vector<std::uint8_t> region_pixels(std::span<const std::uint8_t> mask, PlaneSize size, Region region);

// An image in [low, high] as 8 bit: clipped, scaled to 0..255, rounded to the nearest (NaN becomes 0).
void quantize_u8(std::span<const float> image, float low, float high, std::span<std::uint8_t> out);

}  // namespace ipa
