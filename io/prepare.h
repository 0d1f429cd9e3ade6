// Volumes and stacks of any kind -> one training stack of square 8-bit slices (the command `prepare`).
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ipa {

struct PrepareOptions {
  std::vector<std::filesystem::path> inputs = {};  // NIfTI volumes (.nii, .nii.gz) and HDF5 stacks
  std::filesystem::path out = {};
  bool overwrite = false;
  std::string dataset = {};      // of HDF5 inputs; empty: found by its usual names
  double spacing_mm = 1;         // of the slices' pixels, and between the slices of a volume
  uint64_t size = 256;           // side of the slices
  double min_foreground = 0.05;  // slices with a smaller part of pixels above 10 of 255 are dropped
  std::string modality = {};     // empty: that of the first stack that names one
  // A part is kept out of training and written to a stack of its own (io/holdout.h says which); both or neither.
  std::optional<double> holdout = {};  // fraction of the subjects, or of the slices of a single subject
  std::filesystem::path holdout_out = {};
  uint64_t seed = 0;  // draws those subjects
  uint64_t most_bytes = uint64_t{16} << 30;
  // Called with the fraction done (0..1) and the input at work.
  std::function<void(double, const std::filesystem::path&)> progress = {};
};

struct PreparedInput {
  std::filesystem::path path;
  std::vector<std::string> subjects;  // as named in the output
  uint64_t slices = 0, dropped = 0;
};

struct PrepareSummary {
  uint64_t slices = 0, dropped = 0;   // in `out`; left out of everything
  std::vector<std::string> subjects;  // in `out`
  std::vector<PreparedInput> inputs;
  uint64_t held_slices = 0;  // in `holdout_out`
  std::vector<std::string> held_subjects;
  bool shared_subject = false;  // both hold slices of the only subject
};

// What is done to each subject (a volume, or the slices of one subject in a stack):
// 1. Volumes are cut into axial slices (io/volume.h) and resampled to `spacing_mm`; slices of a stack that tells its
//    /spacing are resampled in their plane, others taken as they are.
// 2. Intensities are clipped to [0, hi] and mapped to 0..255, where hi is the 99.5th percentile of the subject's
// positive
//    intensities before resampling. Each slice's (0, hi) is kept in /intensity_scale (N, 2) f32: intensity =
//    lo + v / 255 (hi - lo).
// 3. Slices are padded with 0 or cropped around their centre to size x size, and dropped below `min_foreground`.
// A subject is named as in the stack, else after the file's stem; a name taken by an earlier input gets the suffix _2,
// _3... Errors: ErrorKind::input also where nothing is left.
PrepareSummary prepare(const PrepareOptions& options);

}  // namespace ipa
