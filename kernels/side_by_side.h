// Tensors side by side along the channels, read and written as if they were one, without that being in memory; also one
// alone whose pixels lie apart (pitch > channels), as if they did not.
#pragma once

#include <span>

#include "engine/tensor.h"
#include "kernels/copy_run.h"
#include "kernels/lanes.h"

namespace ipa {

class SideBySide {
 public:
  SideBySide(std::span<const Tensor> parts, const Shape& whole) : parts_(parts), channels_(whole.c) {
    std::int64_t sum = 0;
    for (const Tensor& p : parts) {
      require(p.shape.pixels() == whole.pixels(), "tensors side by side: shapes differ");
      sum += p.shape.c;
    }
    require(sum == whole.c, "tensors side by side: the channels do not add up");
  }

  // `count` elements of the whole from offset `at`, which belongs to lane `lane` (kernels/lanes.h): where they lie, or
  // gathered into `buffer`.
  const float* load(float* buffer, std::int64_t at, std::int64_t lane, std::int64_t count) const {
    if (lies_together(lane, count)) return place(at, lane);
    each_run(at, lane, count,
             [=](const float* part, std::int64_t i, std::int64_t n) { copy_run(buffer + i, part, n); });
    return buffer;
  }

  // Where to write the same elements; `store` takes what was written to its place.
  float* target(float* buffer, std::int64_t at, std::int64_t lane, std::int64_t count) const {
    return lies_together(lane, count) ? place(at, lane) : buffer;
  }
  void store(const float* buffer, std::int64_t at, std::int64_t lane, std::int64_t count) const {
    if (lies_together(lane, count)) return;
    each_run(at, lane, count, [=](float* part, std::int64_t i, std::int64_t n) { copy_run(part, buffer + i, n); });
  }

 private:
  // Whether elements from `lane` on are one behind another in memory: of one tensor, packed or no more than a pixel.
  bool lies_together(std::int64_t lane, std::int64_t count) const {
    return parts_.size() == 1 && (parts_[0].packed() || lane + count <= channels_);
  }
  float* place(std::int64_t at, std::int64_t lane) const {
    const Tensor& p = parts_[0];
    return p.f32() + (p.packed() ? at : (at - lane) / channels_ * p.pitch + lane);
  }

  // body(address in the part, index, length) for each stretch that is contiguous in one part.
  template <class Body>
  void each_run(std::int64_t at, std::int64_t lane, std::int64_t count, Body&& body) const {
    std::int64_t row = (at - lane) / channels_;
    for (std::int64_t i = 0, c = lane; i < count; c = 0, ++row) {
      const std::int64_t begin = i - c, end = c + std::min(count - i, channels_ - c);  // channels [c, end) of this row
      std::int64_t left = 0;
      for (const Tensor& p : parts_) {
        const std::int64_t from = std::max(c, left), to = std::min(end, left + p.shape.c);
        if (from < to) body(static_cast<float*>(p.data) + row * p.pitch + from - left, begin + from, to - from);
        left += p.shape.c;
      }
      i = begin + end;
    }
  }

  std::span<const Tensor> parts_;
  std::int64_t channels_;
};

}  // namespace ipa
