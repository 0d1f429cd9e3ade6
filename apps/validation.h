// Scores of the present generator on slices kept out of training, and the calibration of its change map on clean ones.
#pragma once

#include <memory>
#include <vector>

#include "apps/sampling.h"
#include "nets/inpainter.h"

namespace ipa {

struct ValidationResult {
  double psnr_mask = 0, psnr_whole = 0;  // dB, means over the slices, raw network output
  double psnr_mask_corrupted = 0;        // of the corrupted input itself
  double change_threshold = 0;           // at which clean slices change by at most `false_change_goal` on average
  double false_change = 0;               // the share that they do change by
  std::vector<std::uint8_t> input, output, target;  // one slice as 8-bit picture
};

// Mean share of pixels that the composite may change in clean slices.
inline constexpr double false_change_goal = 1e-3;

class Validation {
 public:
  // At most `most` slices, evenly spaced. `generator` is the network in training, whose arena may be shared
  // (graph/program.h): a run then destroys what the last training step left there. All must outlive this.
  Validation(const SliceSet& slices, const Settings& settings, Parameters& generator, std::int64_t most,
             std::int64_t batch, const Buffer* arena);

  ValidationResult run();  // the same slices and masks every time
  std::int64_t count() const { return static_cast<std::int64_t>(chosen_.size()); }

 private:
  const SliceSet& slices_;
  DataOptions data_;
  MaskSource masks_;
  std::vector<std::int64_t> chosen_;
  Inpainter inpainter_;
};

}  // namespace ipa
