// A training state in one HDF5 file (latest format, fletcher32) behind whose end lies a seal (io/seal.h): damage
// anywhere is found before the HDF5 library parses a byte, and HDF5 tools read the file as it is.
//   /weights/<name>                f32, the names of docs/file_formats.md, '.' kept
//   /adam/<network>/{m,v}          f32 (count); attribute `steps` of the group: the updates made
//   /weight_names, /adam_networks  fixed-length strings: the order, which an HDF5 group does not keep
//   /calibration                   a double attribute per figure
//   attributes of /                format, step, epoch, sample, ranks, settings, fingerprint, version, created,
//                                  score (if any)
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/weights.h"

namespace ipa {

struct AdamState {
  std::string network;
  int64_t steps = 0;        // updates made, for the bias correction
  std::vector<float> m, v;  // flat, in the order of the network's parameters, equally long

  bool operator==(const AdamState&) const = default;
};

struct Checkpoint {
  int64_t step = 0;                           // steps done
  int64_t epoch = 0;                          // and the position from which the next one draws:
  int64_t sample = 0;                         // samples of this epoch used already
  int64_t ranks = 1;                          // processes that trained together; files older than these say nothing
  std::string settings;                       // effective settings, TOML
  std::string fingerprint;                    // of the training data; empty after `import`
  std::string version;                        // of the program that wrote it
  std::string created;                        // time and host, for people (see creation_info)
  std::optional<double> score;                // of the validation, in-mask PSNR; none before the first
  std::map<std::string, double> calibration;  // "change_threshold", ...; empty where not calibrated
  WeightMap weights;
  std::vector<AdamState> adam;

  bool operator==(const Checkpoint&) const = default;
};

// Atomically; replaces an existing file. Throws ErrorKind::io, upon which the process should end: HDF5 1.10 never lets
// go of a file that it could not write.
void write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

// All of it verified, or ErrorKind::input naming the file; without `with_adam`, `adam` stays empty (for inference).
Checkpoint read_checkpoint(const std::filesystem::path& path, bool with_adam = true);

// Whether the file is meant as a checkpoint (sealed, or with /weights): whole or damaged is read_checkpoint's to say.
bool is_checkpoint(const std::filesystem::path& path);

std::string creation_info();  // "2026-01-31T12:34:56Z on HOST"

}  // namespace ipa
