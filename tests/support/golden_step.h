// A training step on the networks, images and loss weights of a golden file of steps, on any device.
#pragma once

#include "nets/trainer.h"
#include "tests/support/golden_weights.h"

namespace ipa::test {

StepOptions golden_step_options(const Golden& golden, bool residual, DType compute = DType::f32);

// The options with one term alone, of weight 1: "adversarial", "perceptual" or "style".
StepOptions with_term_alone(StepOptions options, const std::string& term);

// A trainer with the file's weights and images; its first step is done.
struct GoldenStep {
  Gan gan;
  Trainer trainer;
  StepMetrics metrics;

  GoldenStep(const Golden& golden, const StepOptions& options, Device device = {});

  StepMetrics next(const Golden& golden);  // another step on the same images
  std::vector<const Parameters*> networks() const { return {&gan.generator, &gan.disc_global, &gan.disc_patch}; }

 private:
  void fill(const Golden& golden);
};

// Calls compare(name, ours, PyTorch's) for the metrics of step 1, 2 or 3.
template <class Compare>
void for_each_metric(const Golden& golden, int step, const StepMetrics& m, Compare compare) {
  const std::string prefix = "metrics/step" + std::to_string(step) + "/";
  const std::pair<const char*, double> all[] = {{"d_global", m.d_global},
                                                {"d_patch", m.d_patch},
                                                {"adversarial", m.adversarial},
                                                {"l1", m.l1},
                                                {"perceptual", m.perceptual},
                                                {"style", m.style},
                                                {"total", m.total},
                                                {"grad_norm_g", m.grad_norm_g}};
  for (const auto& [name, value] : all) compare(prefix + name, value, golden.number(prefix + name));
}

}  // namespace ipa::test
