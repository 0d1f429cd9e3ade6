// Between a running GAN and what a checkpoint holds.
#pragma once

#include "apps/settings.h"
#include "io/checkpoint.h"
#include "nets/trainer.h"

namespace ipa {

StepOptions step_options(const Settings& settings, std::int64_t batch, Device device);

// Declares the parameters of the three networks without keeping a graph.
void declare_gan(Gan& gan, const NetOptions& options);

// Weights, running statistics, Adam's moments and counts, step; the rest of the checkpoint is the caller's.
void snapshot(const Gan& gan, const TrainerState& state, Checkpoint& checkpoint);

// The reverse: what the trainer is to go on from. `file` names the checkpoint in errors (ErrorKind::input where its
// networks are of other widths). A checkpoint without moments (imported weights) leaves them 0.
TrainerState restore(const Checkpoint& checkpoint, const std::string& file, Gan& gan);

}  // namespace ipa
