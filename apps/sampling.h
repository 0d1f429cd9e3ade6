// Which slices a step takes, and how each becomes a training pair. Everything is a function of (seed, step, sample), so
// a resumed run and any number of workers see the same.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "apps/settings.h"
#include "io/slice_set.h"
#include "kernels/masks.h"

namespace ipa {

// One training or validation pair, S x S each.
struct Sample {
  std::span<float> target, corrupted;  // [-1, 1]
  std::span<float> mask;               // 1 in the hole
};

class Sampler {
 public:
  // `data.masks`: square, arbitrary, or a file's name. A batch larger than the data set shrinks to it.
  Sampler(const SliceSet& slices, const DataOptions& data, const TrainOptions& train);

  std::int64_t batch() const { return batch_; }
  std::int64_t steps_per_epoch() const { return slices_.count() / batch_; }

  // The slices of a step: each epoch is a permutation, its last short batch dropped. Step 0 is the first.
  std::vector<std::int64_t> slices_of(std::int64_t step) const;
  void make(std::int64_t slice, std::int64_t step, std::int64_t sample, const Sample& out) const;

 private:
  const SliceSet& slices_;
  DataOptions data_;
  std::uint64_t seed_;
  std::int64_t batch_;
  MaskSource masks_;
};

MaskSource mask_source(const DataOptions& data, MaskSplit split);

// Blanks the mask's pixels: `hole` is a fraction 0..1 of the range.
void corrupt(const Sample& sample, std::span<const std::uint8_t> mask, double hole);

}  // namespace ipa
