// Weak and strong scaling of a training step, simulated.
#pragma once

#include <span>

#include "bench/all_reduce_times.h"
#include "bench/compute_times.h"

namespace ipa::bench {

using AllReduceTime = std::function<double(double bytes, int ranks)>;

struct ScalingRow {
  int ranks;
  std::int64_t batch;  // of a rank
  SimulatedStep step;
  double images_per_s, efficiency, arena_gib;  // efficiency: of `ranks` times one rank's images per second
};

// Every rank's batch is options.batch whatever their number (weak), or all ranks' together is `global_batch` (strong:
// numbers of ranks that do not divide it are left out).
std::vector<ScalingRow> weak_scaling(const StepOptions& options, Device device, const ComputeTimes& compute,
                                     const AllReduceTime& all_reduce, std::span<const int> ranks);
std::vector<ScalingRow> strong_scaling(const StepOptions& options, Device device, const ComputeTimes& compute,
                                       const AllReduceTime& all_reduce, std::span<const int> ranks,
                                       std::int64_t global_batch);

}  // namespace ipa::bench
