// Which checkpoint of a run folder is meant: checkpoint_<step>.h5 (no padding) and best.h5.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "io/checkpoint.h"

namespace ipa {

using Warn = std::function<void(const std::string&)>;

struct CheckpointFile {
  int64_t step;
  std::filesystem::path path;
};

std::filesystem::path checkpoint_path(const std::filesystem::path& run_folder, int64_t step);
std::filesystem::path best_path(const std::filesystem::path& run_folder);

std::vector<CheckpointFile> find_checkpoints(const std::filesystem::path& run_folder);  // by step, the newest last

// The newest valid checkpoint; `warn` hears of each newer one that is damaged. None where the folder holds no
// checkpoint; throws ErrorKind::input where it holds only damaged ones: a run never starts again over the remains of
// another.
std::optional<Checkpoint> load_latest(const std::filesystem::path& run_folder, const Warn& warn, bool with_adam = true);

// Deletes all but the `keep` newest of the checkpoints up to `newest`, the step just saved. Later ones (damaged, and
// passed over when the run went on) are neither counted nor touched; best.h5 is no part of this.
void prune_checkpoints(const std::filesystem::path& run_folder, int64_t newest, int keep);

std::optional<double> best_score(const std::filesystem::path& run_folder);  // of best.h5; none where absent

// RUN_OR_FILE of the commands: a checkpoint file, or a run folder: its best.h5, else its newest checkpoint. A damaged
// best.h5 is an error, not replaced by another model; throws ErrorKind::io where there is no checkpoint.
Checkpoint load_model(const std::filesystem::path& run_or_file, const Warn& warn, bool with_adam = false);

}  // namespace ipa
