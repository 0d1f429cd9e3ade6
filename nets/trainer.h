// Runs training steps: a step graph bound to the networks' parameters, and the host's part of a step.
#pragma once

#include <memory>

#include "nets/step_graph.h"

namespace ipa {

// Terms as in metrics.csv: means over the batch, unweighted but for `total`; those switched off are 0.
struct StepMetrics {
  double d_global = 0, d_patch = 0, adversarial = 0, l1 = 0, perceptual = 0, style = 0, hole = 0, total = 0;
  double grad_norm_g = 0, grad_norm_d_global = 0, grad_norm_d_patch = 0;
  bool finite = true;  // false: at least one network skipped its update
};

// What resuming needs besides the parameters.
struct TrainerState {
  std::int64_t step = 0;                                             // steps done
  std::int64_t adam_generator = 0, adam_global = 0, adam_patch = 0;  // updates applied (Adam's t)
};

class Trainer {
 public:
  // `gan`'s networks are declared and allocated here; fill them (initialise or load) before the first step. With
  // loss.style > 0 gan.vgg19 must be loaded too.
  // Over ranks, `comm` must outlive this, and every rank must fill its networks with the same numbers; metrics are then
  // means over the ranks.
  Trainer(Gan& gan, const StepOptions& options, Comm* comm = nullptr);

  // Inputs of the next step, (N, S, S, 1): fill all three.
  Tensor corrupted() const { return program_->tensor(graph_->corrupted); }
  Tensor target() const { return program_->tensor(graph_->target); }
  Tensor mask() const { return program_->tensor(graph_->mask); }

  // One step; `progress` in [0, 1) of the whole training drives the learning rate's decay.
  StepMetrics step(double progress);
  Tensor fake() const { return program_->tensor(graph_->fake); }  // of the last step, before its update

  TrainerState& state() { return state_; }
  const TrainerState& state() const { return state_; }
  const StepOptions& options() const { return options_; }
  const StepGraph& graph() const { return *graph_; }
  Program& program() { return *program_; }
  const Program& program() const { return *program_; }

 private:
  void set_rates(Value rates, std::int64_t t, double lr) const;
  void set_weights() const;
  StepMetrics read() const;
  float scalar(Value v) const { return program_->tensor(v).f32()[0]; }
  float term(std::int64_t i) const;  // of the graph's terms

  StepOptions options_;
  Comm* comm_;
  std::unique_ptr<StepGraph> graph_;
  std::unique_ptr<Program> program_;
  TrainerState state_;
  Stream stream_;
};

}  // namespace ipa
