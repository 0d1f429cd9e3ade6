// All settings of a training run: one TOML table each, the same keys in presets, files and `--set`.
// docs/user_guide.md, "Settings", and presets/paper.toml say what each of them means.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nets/options.h"

namespace ipa {

struct DataOptions {
  std::int64_t size = 256;          // side of the training slices, a multiple of 16 from 96
  double hole = 0;                  // intensity in the hole, 0..1 of the range
  bool flip = false;                // random left-right flips
  std::string masks = "arbitrary";  // "square", "arbitrary", or a file that `masks` wrote
};

struct TrainOptions {
  std::int64_t batch = 8;  // per rank
  std::int64_t epochs = 100;
  std::int64_t steps = 0;  // > 0 overrides epochs
  std::int64_t seed = 0;
};

struct CheckpointOptions {
  std::int64_t every = 1000;  // steps
  std::int64_t keep = 3;      // files beside the best
};

struct ValidateOptions {
  std::int64_t every = 1000;  // steps
  std::int64_t slices = 64;   // at most so many, evenly spaced
};

// The defaults are the `paper` preset.
struct Settings {
  NetOptions net;
  DataOptions data;
  TrainOptions train;
  OptimizerOptions optimizer;  // its keys stand in the table `train`
  LossOptions loss;
  CheckpointOptions checkpoint;
  ValidateOptions validate;
};

// preset (empty: `paper`), then the file, then each KEY=VALUE in turn. VALUE is TOML; strings may lack their quotes.
// Unknown keys, wrong types and values out of range throw ErrorKind::usage, naming the key, its place and what is
// allowed; an unreadable file throws ErrorKind::io.
Settings load_settings(std::string_view preset, const std::optional<std::filesystem::path>& file,
                       const std::vector<std::string>& assignments);

// Every key with its value, in a fixed order; parse_settings(to_toml(s)) gives s again, bit for bit.
std::string to_toml(const Settings& settings);

// Lays the keys of a TOML document over `base`; `where` names the document in errors.
Settings parse_settings(std::string_view toml, std::string_view where, const Settings& base = {});

// The keys in which two settings differ, in to_toml's order.
std::vector<std::string> differing_keys(const Settings& a, const Settings& b);

struct Preset {
  std::string_view name, toml;
};
const std::vector<Preset>& presets();  // presets/*.toml, built into the program

}  // namespace ipa
