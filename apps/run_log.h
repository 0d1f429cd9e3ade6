// What a training run reports as it goes: metrics.csv and TensorBoard events.
#pragma once

#include <filesystem>

#include "apps/validation.h"
#include "io/event_file.h"
#include "io/metrics_log.h"
#include "nets/trainer.h"

namespace ipa {

struct StepTiming {
  double step_ms = 0, data_wait_ms = 0;
};

// The first sample of the last step side by side: input, output, target. Waits for it.
Image8 pictures_of(const Trainer& trainer);

class RunLog {
 public:
  RunLog(const std::filesystem::path& run, std::int64_t resumed_step);

  void step(std::int64_t step, const StepMetrics& metrics, const StepTiming& timing, std::int64_t images);
  void validation(std::int64_t step, const ValidationResult& result, int side);
  void pictures(std::int64_t step, const Image8& image);
  void sync();

 private:
  MetricsLog metrics_;
  EventFile events_;
};

}  // namespace ipa
