// A training run in its folder: begins or goes on, saves, validates, stops when asked.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "apps/settings.h"
#include "apps/train_plan.h"
#include "engine/device.h"
#include "engine/launch_place.h"

namespace ipa {

struct TrainRequest {
  std::filesystem::path run;
  std::vector<std::filesystem::path> train;
  std::optional<std::filesystem::path> val, vgg;
  Settings settings;
  bool settings_given = false;          // else a run that goes on keeps its own
  std::optional<std::int64_t> seed;     // laid over the settings
  std::optional<std::int64_t> stop_at;  // --steps
  bool ranks_changed = false;           // let a run go on with another number of processes
  bool shared_subjects = false;         // let validation have subjects of the training
  bool dry_run = false;                 // for plan_training
  bool quiet = false;
  std::optional<LaunchPlace> place;  // among several processes; all get the same request
  Device device;
};

struct TrainOutcome {
  std::int64_t begun_at = 0, step = 0;
  std::optional<double> best_psnr_mask;
  double seconds = 0;
};

// Over several processes (apps/ranks.h) only the first writes into the folder, and all end alike.
// Throws ErrorKind::stopped after a signal (state saved), ErrorKind::numerical when several steps in a row are not
// finite.
TrainOutcome train(const TrainRequest& request);

// What train(request) would do and need, over the same processes; all that it checks is checked. A few steps are taken
// to time them, in memory alone: nothing is written, no folder made. ErrorKind::device where memory is short.
TrainPlan plan_training(const TrainRequest& request);

}  // namespace ipa
