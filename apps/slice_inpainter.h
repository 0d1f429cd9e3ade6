// Blind inpainting of slices in their own number type and intensities.
#pragma once

#include <span>
#include <vector>

#include "apps/slice_network.h"
#include "io/intensity.h"

namespace ipa {

enum class Composite {
  automatic,  // the input, but the network's output where the change map says that it repaired something
  none,       // the network's output everywhere
  mask,       // the input, but the network's output inside the given mask
};

struct InpaintTotals {
  std::int64_t slices = 0, changed_slices = 0;
  std::int64_t changed_pixels = 0, pixels = 0;
  std::int64_t large = 0;  // slices of which more changed than any training hole covers
};

// Some slices on their way from a file through the network to another file.
struct InpaintBatch {
  NumberType type = NumberType::u8;
  PlaneSize size;
  std::vector<char> slices;          // of `type`, as stored
  std::vector<Range> ranges;         // one per slice
  std::vector<std::uint8_t> masks;   // 1 where changes are allowed; may be empty unless the composite is `mask`
  std::vector<float> in, out;        // of the network
  std::vector<char> result;          // like `slices`, bit for bit these where `change` is 0
  std::vector<std::uint8_t> change;  // 1 or 0 per pixel

  std::size_t count() const { return ranges.size(); }
};

// Each step may run in a thread of its own, on another batch than the others; at most one thread a step.
class SliceInpainter {
 public:
  SliceInpainter(const Model& model, Composite composite, const SliceNetworkOptions& options);

  void scale(InpaintBatch& batch) const;  // slices and ranges to `in`
  void infer(InpaintBatch& batch);        // `in` to `out`
  void compose(InpaintBatch& batch);      // `out` to `result` and `change`

  Composite composite() const { return composite_; }
  const InpaintTotals& totals() const { return totals_; }
  double network_seconds() const { return network_seconds_; }
  std::int64_t slices_at_once() const { return network_.slices_at_once(); }

 private:
  std::int64_t compose_slice(InpaintBatch& batch, std::size_t slice) const;  // -> changed pixels

  SliceNetwork network_;
  Composite composite_;
  double threshold_;
  int threads_;  // OpenMP's of the thread that made this
  InpaintTotals totals_;
  double network_seconds_ = 0;
};

}  // namespace ipa
