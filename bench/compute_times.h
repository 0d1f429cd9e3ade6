// How long the launches of a described step take: by a roof, or by what bench_step measured.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bench/described_step.h"

namespace ipa::bench {

class ComputeTimes {
 public:
  // The longer of the time of its bytes and of its FLOPs, over the share of the roof that is reached, and a constant
  // gap for each launch.
  static ComputeTimes of_roof(double copy_gb_s, double gflop_s, double share, double gap_us);

  // `text`: what `bench_step --json` printed of a step without other ranks, which `same` describes at the same batch.
  // Each kind of op keeps its measured time as a multiple of the roof's, so that other batches follow from their own
  // bytes and FLOPs; the sum is scaled to the whole step's time. ErrorKind::input, naming `file`, where it is not that.
  static ComputeTimes of_measurement(const std::string& text, const std::string& file, const DescribedStep& same);
  static std::int64_t batch_of_measurement(const std::string& text, const std::string& file);

  double seconds(const DescribedStep::Part& part) const;  // of one that computes
  std::vector<StepEvent> events(const DescribedStep& step) const;

 private:
  double least(const Cost& cost) const;
  double copy_gb_s_ = 1, gflop_s_ = 1, gap_ = 0;
  double multiple_ = 1;                     // of the roof's time
  std::map<std::string, double> of_kind_;   // the same of one kind of op, where that is known
  std::map<std::string, double> constant_;  // seconds of a launch of a kind that neither moves nor computes anything
};

}  // namespace ipa::bench
