#include "apps/validation.h"

#include <algorithm>
#include <cmath>

#include "engine/transfer.h"
#include "kernels/change_map.h"
#include "kernels/corrupt.h"
#include "kernels/metrics.h"

namespace ipa {
namespace {

// Masks of the validation are drawn apart from those of training.
constexpr std::uint64_t mask_seed = 0x76616c;

std::vector<std::uint8_t> grey(std::span<const float> image) {
  std::vector<std::uint8_t> out(image.size());
  quantize_u8(image, -1, 1, out);
  return out;
}

struct Mean {
  double sum = 0;
  std::int64_t count = 0;
  void add(double v) {
    if (std::isfinite(v)) sum += v, ++count;
  }
  double value() const { return count ? sum / static_cast<double>(count) : std::nan(""); }
};

}  // namespace

Validation::Validation(const SliceSet& slices, const Settings& settings, Parameters& generator, std::int64_t most,
                       std::int64_t batch, const Buffer* arena)
    : slices_(slices),
      data_(settings.data),
      masks_(mask_source(settings.data, MaskSplit::train)),
      inpainter_(generator, settings.net, batch, slices.size(), slices.size(), compute_type_on(generator.device()),
                 arena) {
  const std::int64_t count = std::min(slices.count(), most);
  for (std::int64_t i = 0; i < count; ++i) chosen_.push_back((2 * i + 1) * slices.count() / (2 * count));
}

ValidationResult Validation::run() {
  const int side = static_cast<int>(slices_.size());
  const PlaneSize size{side, side};
  const std::size_t n = size.pixels();
  const auto batch = static_cast<std::size_t>(inpainter_.input().shape.n);
  inpainter_.fold();

  ValidationResult result;
  Mean mask_psnr, whole_psnr, corrupted_psnr;
  std::vector<std::vector<float>> clean_differences;
  std::vector<float> target(batch * n), corrupted(batch * n), out;
  std::vector<std::uint8_t> masks(batch * n);
  const auto hole = hole_value<float>(data_.hole, -1, 1);
  auto inpaint = [&](const std::vector<float>& in) {
    from_host(in, inpainter_.input());
    inpainter_.run();
    out = to_host(inpainter_.output());
  };
  for (std::size_t first = 0; first < chosen_.size(); first += batch) {
    const std::size_t used = std::min(batch, chosen_.size() - first);
    auto part = [n](auto& v, std::size_t i) { return std::span(v).subspan(i * n, n); };
    for (std::size_t i = 0; i < used; ++i) {
      slices_.scaled(chosen_[first + i], part(target, i));
      const std::vector<std::uint8_t> picture = grey(part(target, i));
      draw_mask(masks_, picture, size, mask_seed, static_cast<std::uint64_t>(chosen_[first + i]), 0, part(masks, i));
      std::ranges::copy(part(target, i), part(corrupted, i).begin());
      blank(part(corrupted, i), part(masks, i), hole);
    }
    inpaint(corrupted);
    for (std::size_t i = 0; i < used; ++i) {
      const std::vector<std::uint8_t> truth = grey(part(target, i)), made = grey(part(out, i)),
                                      given = grey(part(corrupted, i));
      const SliceScores scores = score_slice(truth, made, part(masks, i), size);
      mask_psnr.add(scores[Region::mask].psnr);
      whole_psnr.add(scores[Region::whole].psnr);
      corrupted_psnr.add(score_slice(truth, given, part(masks, i), size)[Region::mask].psnr);
      if (first + i == chosen_.size() / 2) result.input = given, result.output = made, result.target = truth;
    }
    inpaint(target);
    for (std::size_t i = 0; i < used; ++i)
      clean_differences.push_back(smoothed_difference(part(target, i), part(out, i), size));
  }
  result.psnr_mask = mask_psnr.value();
  result.psnr_whole = whole_psnr.value();
  result.psnr_mask_corrupted = corrupted_psnr.value();
  ChangeMapOptions options;
  options.threshold = calibrate_threshold(clean_differences, size, false_change_goal);
  result.change_threshold = options.threshold;
  result.false_change = change_rate(clean_differences, size, options);
  return result;
}

}  // namespace ipa
