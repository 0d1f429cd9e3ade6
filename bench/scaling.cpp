#include "bench/scaling.h"

namespace ipa::bench {
namespace {

ScalingRow row(const DescribedStep& described, int ranks, const ComputeTimes& compute,
               const AllReduceTime& all_reduce) {
  const SimulatedStep step =
      simulate(compute.events(described), [&](double bytes) { return all_reduce(bytes, ranks); });
  const double images = static_cast<double>(described.batch) * ranks / step.seconds;
  return {ranks, described.batch, step, images, 1, described.arena_gib};
}

DescribedStep describe(StepOptions options, std::int64_t batch, Device device, int ranks) {
  options.batch = batch;
  return describe_step(options, device, ranks > 1);
}

}  // namespace

std::vector<ScalingRow> weak_scaling(const StepOptions& options, Device device, const ComputeTimes& compute,
                                     const AllReduceTime& all_reduce, std::span<const int> ranks) {
  const DescribedStep alone = describe(options, options.batch, device, 1);
  const DescribedStep together = describe(options, options.batch, device, 2);
  const double one = row(alone, 1, compute, all_reduce).images_per_s;
  std::vector<ScalingRow> rows;
  for (const int r : ranks) {
    rows.push_back(row(r == 1 ? alone : together, r, compute, all_reduce));
    rows.back().efficiency = rows.back().images_per_s / (one * r);
  }
  return rows;
}

std::vector<ScalingRow> strong_scaling(const StepOptions& options, Device device, const ComputeTimes& compute,
                                       const AllReduceTime& all_reduce, std::span<const int> ranks,
                                       std::int64_t global_batch) {
  const double one = row(describe(options, global_batch, device, 1), 1, compute, all_reduce).images_per_s;
  std::vector<ScalingRow> rows;
  for (const int r : ranks) {
    if (global_batch % r) continue;
    rows.push_back(row(describe(options, global_batch / r, device, r), r, compute, all_reduce));
    rows.back().efficiency = rows.back().images_per_s / (one * r);
  }
  return rows;
}

}  // namespace ipa::bench
