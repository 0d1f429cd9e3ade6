// The settings that a run goes by: those given, or those that it was begun with.
#pragma once

#include <optional>

#include "apps/train_run.h"
#include "io/checkpoint.h"

namespace ipa {

// `latest`: the checkpoint that the run goes on from, `processes`: how many train now. ErrorKind::usage where what is
// given contradicts the run so far.
Settings settings_of_run(const TrainRequest& request, const std::optional<Checkpoint>& latest, int processes);

}  // namespace ipa
