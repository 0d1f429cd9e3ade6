// A trained generator as commands use it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "apps/settings.h"
#include "nets/parameters.h"

namespace ipa {

struct Model {
  std::filesystem::path source;  // as the user named it
  Settings settings;             // effective ones of its training
  std::unique_ptr<Parameters> generator;
  std::int64_t step = 0;
  std::string version;          // of the program that wrote it
  double change_threshold = 0;  // on [-1, 1]
  bool calibrated = false;      // else the documented default
  double false_change = 0;      // where calibrated: the share of clean pixels that change
};

// RUN_OR_FILE: a run folder (its best checkpoint, else the newest) or a checkpoint.
Model load_trained(const std::filesystem::path& run_or_file, Device device);

}  // namespace ipa
