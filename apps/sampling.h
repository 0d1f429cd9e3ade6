// Which slices a step takes, and where they and the masks lie for it. Everything is a function of (seed, step, sample),
// so a resumed run sees the same; how a slice becomes a training pair: kernels/training_pairs.h.
#pragma once

#include <cstdint>
#include <vector>

#include "apps/settings.h"
#include "engine/buffer.h"
#include "io/slice_set.h"
#include "kernels/masks.h"
#include "nets/step_graph.h"

namespace ipa {

class Sampler {
 public:
  // Of `count` slices. A batch larger than the data set shrinks to it.
  Sampler(std::int64_t count, const TrainOptions& train);

  std::int64_t batch() const { return batch_; }
  std::int64_t steps_per_epoch() const { return count_ / batch_; }

  // The slices of a step: each epoch is a permutation, its last short batch dropped. Step 0 is the first.
  std::vector<std::int64_t> slices_of(std::int64_t step);

 private:
  std::int64_t count_, batch_;
  std::uint64_t seed_;
  std::int64_t epoch_ = -1;
  std::vector<std::int64_t> order_;  // of that epoch
};

// `data.masks`: square, arbitrary, or a file's name.
MaskSource mask_source(const DataOptions& data, MaskSplit split);

PairAttributes pair_attributes(const DataOptions& data, const TrainOptions& train, bool redraw);

// Slices and masks on a device, brought there once; on the CPU the slices stay where the set has them.
class ResidentData {
 public:
  // `slices` outlive this.
  ResidentData(const SliceSet& slices, const DataOptions& data, const TrainOptions& train, Device device);
  const TrainingData& get() const { return data_; }

 private:
  Buffer slices_, masks_;
  TrainingData data_;
};

}  // namespace ipa
