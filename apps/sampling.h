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
  // Of `count` slices, for `rank` of `ranks`, each of which takes a batch. Batches that together are larger than the
  // data set shrink to it; ErrorKind::usage where there are fewer slices than ranks.
  Sampler(std::int64_t count, const TrainOptions& train, int rank = 0, int ranks = 1);

  std::int64_t batch() const { return batch_; }                 // of one rank
  std::int64_t step_size() const { return ranks_ * batch_; }    // of all ranks
  std::int64_t first_sample() const { return rank_ * batch_; }  // of this rank in a step
  std::int64_t steps_per_epoch() const { return count_ / step_size(); }

  // This rank's slices of a step: each epoch is a permutation, its last short step dropped. Step 0 is the first.
  std::vector<std::int64_t> slices_of(std::int64_t step);

 private:
  std::int64_t count_, rank_, ranks_, batch_;
  std::uint64_t seed_;
  std::int64_t epoch_ = -1;
  std::vector<std::int64_t> order_;  // of that epoch
};

// `data.masks`: square, arbitrary, or a file's name.
MaskSource mask_source(const DataOptions& data, MaskSplit split);

PairAttributes pair_attributes(const DataOptions& data, const TrainOptions& train, bool redraw,
                               std::int64_t first_sample = 0);

// Slices and masks on a device, brought there once; on the CPU the slices stay where the set has them.
class ResidentData {
 public:
  // `slices` outlive this. `first_sample` as Sampler has it.
  ResidentData(const SliceSet& slices, const DataOptions& data, const TrainOptions& train, std::int64_t first_sample,
               Device device);
  const TrainingData& get() const { return data_; }

 private:
  Buffer slices_, masks_;
  TrainingData data_;
};

}  // namespace ipa
