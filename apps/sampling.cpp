#include "apps/sampling.h"

#include <algorithm>
#include <numeric>

#include "apps/mask_file.h"
#include "engine/rng.h"
#include "kernels/corrupt.h"
#include "kernels/metrics.h"

namespace ipa {

MaskSource mask_source(const DataOptions& data, MaskSplit split) {
  const int size = static_cast<int>(data.size);
  if (data.masks == "square") return {};
  if (data.masks == "arbitrary")
    return {make_masks(MaskKind::arbitrary, split, default_mask_count(split), size, 0), true};
  const MaskFile file(data.masks);
  file.require_size({size, size}, "data.size");
  return {file.read_all(), false};
}

Sampler::Sampler(const SliceSet& slices, const DataOptions& data, const TrainOptions& train)
    : slices_(slices),
      data_(data),
      seed_(static_cast<std::uint64_t>(train.seed)),
      batch_(std::min(train.batch, slices.count())),
      masks_(mask_source(data, MaskSplit::train)) {}

std::vector<std::int64_t> Sampler::slices_of(std::int64_t step) const {
  const std::int64_t epoch = step / steps_per_epoch(), position = step % steps_per_epoch();
  std::vector<std::int64_t> order(static_cast<std::size_t>(slices_.count()));
  std::iota(order.begin(), order.end(), 0);
  RandomSequence random(seed_, RandomUse::data_order, static_cast<std::uint64_t>(epoch), 0);
  for (std::size_t i = order.size(); i-- > 1;)  // Fisher and Yates
    std::swap(order[i], order[random.below(static_cast<std::uint32_t>(i + 1))]);
  const auto first = order.begin() + static_cast<std::ptrdiff_t>(position * batch_);
  return {first, first + static_cast<std::ptrdiff_t>(batch_)};
}

void Sampler::make(std::int64_t slice, std::int64_t step, std::int64_t sample, const Sample& out) const {
  const int side = static_cast<int>(slices_.size());
  const PlaneSize size{side, side};
  slices_.scaled(slice, out.target);
  RandomSequence random(seed_, RandomUse::flip, static_cast<std::uint64_t>(step), static_cast<std::uint32_t>(sample));
  if (data_.flip && random.uniform() < 0.5f) flip_left_right(out.target, size);
  std::vector<std::uint8_t> grey(size.pixels()), mask(size.pixels());
  quantize_u8(out.target, -1, 1, grey);
  draw_mask(masks_, grey, size, seed_, static_cast<std::uint64_t>(step), static_cast<std::uint32_t>(sample), mask);
  corrupt(out, mask, data_.hole);
}

void corrupt(const Sample& sample, std::span<const std::uint8_t> mask, double hole) {
  std::copy(sample.target.begin(), sample.target.end(), sample.corrupted.begin());
  blank(sample.corrupted, mask, hole_value<float>(hole, -1, 1));
  std::transform(mask.begin(), mask.end(), sample.mask.begin(), [](std::uint8_t m) { return m ? 1.0f : 0.0f; });
}

}  // namespace ipa
