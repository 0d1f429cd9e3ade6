// A model beside its baselines on the slices of a stack.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "apps/mask_file.h"
#include "apps/slice_network.h"
#include "io/stack.h"
#include "kernels/score_table.h"

namespace ipa {

// One slice by every method: 8 bit as scored, H x W each.
struct EvaluatedSlice {
  std::vector<std::uint8_t> target;
  std::vector<std::uint8_t> corrupted;  // the input: the hole filled with the model's data.hole
  std::vector<std::uint8_t> harmonic;   // the smoothest continuation, which is told the mask
  std::vector<std::uint8_t> raw;        // what the network made
  std::vector<std::uint8_t> composite;  // raw where the change map says so, the exact input elsewhere
  std::vector<std::uint8_t> mask, change;
};

struct Evaluation {
  ScoreTable scores;        // corrupted, harmonic, raw, composite
  double false_change = 0;  // mean share of the pixels that the composite changes in slices without a hole
  std::int64_t clean = 0;   // such slices given
};

class Evaluator {
 public:
  // All must outlive this. Throws ErrorKind::input where the masks have another size than the slices.
  Evaluator(const Model& model, StackReader& data, const MaskFile& masks, const SliceNetworkOptions& options);

  // Every slice with its mask, and `clean` slices, evenly spaced, without.
  Evaluation run(std::int64_t clean, bool quiet);

  std::vector<EvaluatedSlice> inpaint(std::uint64_t first, std::uint64_t count);
  PlaneSize size() const { return size_; }

 private:
  double changed_share(std::span<const std::uint64_t> clean);  // summed over the slices
  std::vector<std::uint8_t> read_mask(std::uint64_t slice) const;

  const Model& model_;
  StackReader& data_;
  const MaskFile& masks_;
  PlaneSize size_;
  SliceNetwork network_;
};

}  // namespace ipa
