// What a training run would do and need: the result of `train --dry-run`.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "apps/network_report.h"
#include "apps/settings.h"
#include "io/checkpoint.h"
#include "nets/parameters.h"

namespace ipa {

// Of one process. The slices and masks are on the device already when it is made.
struct MemoryNeed {
  MemoryPlan plan;
  std::size_t free = 0;
  std::size_t bytes() const { return plan.training_total_bytes() + plan.folded_bytes; }
};

// ErrorKind::device, saying how much it takes, where the device has less to give.
MemoryNeed require_memory(const Settings& settings, std::int64_t batch, Device device);

struct DiskNeed {
  std::size_t checkpoint_bytes = 0;  // of one file
  std::int64_t files = 0;            // at most at a time: those kept, the best one, and the one being written
  std::size_t there = 0;             // bytes of those that lie in the folder already
  std::size_t free = 0;

  void add_network(const Parameters& network);
  void look_at(const std::filesystem::path& folder, std::int64_t saves, std::int64_t keep, bool validates);
  std::size_t bytes() const { return checkpoint_bytes * static_cast<std::size_t>(files); }
  bool fits() const { return bytes() <= free + there; }
};

struct TrainPlan {
  std::filesystem::path run;
  Settings settings;
  Device device;
  MemoryNeed memory;
  DiskNeed disk;
  std::int64_t begins_at = 0, total = 0, steps_per_epoch = 0;  // steps
  std::int64_t slices = 0, step_size = 0, processes = 1;       // step_size: slices of all processes
  std::int64_t held_out = 0, validated = 0;                    // slices; 0 without --val
  int timed_steps = 0;                                         // 0: nothing to do
  double seconds_per_step = 0, seconds_per_validation = 0;     // measured

  std::int64_t steps() const { return std::max<std::int64_t>(total - begins_at, 0); }
  std::int64_t saves() const { return times(settings.checkpoint.every); }
  std::int64_t validations() const { return validated > 0 ? times(settings.validate.every) : 0; }
  double seconds() const;  // without what saving checkpoints takes

 private:
  std::int64_t times(std::int64_t every) const;  // that a multiple of `every`, or the last step, is yet to come
};

// The checkpoint that a run in `folder` would go on from. What would keep it from being used as a run folder is an
// error, as in training; nothing is made.
std::optional<Checkpoint> look_into_run(const std::filesystem::path& folder);

void print(const TrainPlan& plan);
nlohmann::ordered_json to_json(const TrainPlan& plan);
void require_space(const TrainPlan& plan);  // ErrorKind::io where the disk is too full for the checkpoints

}  // namespace ipa
