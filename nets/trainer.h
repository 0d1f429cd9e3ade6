// Runs training steps: a step graph bound to the networks' parameters, and the host's part of a step.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <unordered_map>

#include "engine/mailbox.h"
#include "nets/step_graph.h"

namespace ipa {

// Terms as in metrics.csv: means over the batch, unweighted but for `total`; those switched off are 0.
struct StepMetrics {
  std::int64_t step = 0;  // counted from 1
  double d_global = 0, d_patch = 0, adversarial = 0, l1 = 0, perceptual = 0, style = 0, hole = 0, total = 0;
  double grad_norm_g = 0, grad_norm_d_global = 0, grad_norm_d_patch = 0;
  bool finite = true;  // false: at least one network skipped its update
};

// What resuming needs besides the parameters.
struct TrainerState {
  std::int64_t step = 0;                                             // steps whose metrics were read
  std::int64_t adam_generator = 0, adam_global = 0, adam_patch = 0;  // updates applied (Adam's t)
};

class Trainer {
 public:
  // `gan`'s networks are declared and allocated here; fill them (initialise or load) before the first step. With
  // loss.style > 0 gan.vgg19 must be loaded too. The memory of `data` outlives this.
  // Over ranks, `comm` must outlive this, and every rank must fill its networks with the same numbers; metrics are then
  // means over the ranks.
  Trainer(Gan& gan, const StepOptions& options, Comm* comm = nullptr, const std::optional<TrainingData>& data = {});

  // (N, S, S, 1). With data, what the last step took; else the inputs of the next: fill all three (from_host).
  Tensor corrupted() const { return program_->tensor(graph_->corrupted); }
  Tensor target() const { return program_->tensor(graph_->target); }
  Tensor mask() const;  // without data only: a step that makes it does not keep it

  // One step; `progress` in [0, 1) of the whole training drives the learning rate's decay; `slices`, with data only,
  // are the numbers of the batch's. Waits for it.
  StepMetrics step(double progress, std::span<const std::int64_t> slices = {});

  // The same in two halves, so that a device need not wait for the host: enqueue a step; read, in order, what is done
  // (nothing yet, or with `wait` the oldest step under way). At most a few steps may be under way: while `full`, read.
  void enqueue(double progress, std::span<const std::int64_t> slices = {});
  bool full() const { return mailbox_->full(); }
  std::optional<StepMetrics> read(bool wait);

  // Tells the device of a state that was set from outside (resumed, imported).
  void set_state(const TrainerState& state);
  Tensor fake() const { return program_->tensor(graph_->fake); }  // of the last step, before its update

  const TrainerState& state() const { return state_; }
  const StepOptions& options() const { return options_; }
  const StepGraph& graph() const { return *graph_; }
  Program& program() { return *program_; }
  const Program& program() const { return *program_; }

 private:
  void write_controls(double progress, std::span<const std::int64_t> slices);
  StepMetrics metrics(const std::byte* report);

  StepOptions options_;
  Gan& gan_;
  Comm* comm_;
  std::unique_ptr<StepGraph> graph_;
  Buffer controls_, report_;                     // what changes from step to step; one place per scalar
  std::size_t weights_at_, step_at_, order_at_;  // in the controls, behind the learning rate
  std::unordered_map<int, std::size_t> places_;  // in the report, by value id
  std::unique_ptr<Program> program_;
  TrainerState state_;
  std::int64_t enqueued_ = 0;  // steps
  Stream stream_;
  std::unique_ptr<Mailbox> mailbox_;
};

}  // namespace ipa
