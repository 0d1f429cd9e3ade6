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

class SliceInpainter {
 public:
  SliceInpainter(const Model& model, Composite composite, const SliceNetworkOptions& options);

  // One slice per range, `type` elements each. `masks` (1 where changes are allowed) may be empty unless the composite
  // is `mask`. `result` gets slices of the same type, bit for bit the input where `change` (1 or 0 per pixel) is 0.
  void run(NumberType type, const void* slices, std::span<const Range> ranges, PlaneSize size,
           std::span<const std::uint8_t> masks, void* result, std::span<std::uint8_t> change);

  Composite composite() const { return composite_; }
  const InpaintTotals& totals() const { return totals_; }
  std::int64_t batch() const { return network_.batch(); }

 private:
  SliceNetwork network_;
  Composite composite_;
  double threshold_;
  InpaintTotals totals_;
  std::vector<float> in_, out_;
  std::vector<char> made_;
};

}  // namespace ipa
