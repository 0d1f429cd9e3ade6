// The generator on slices of any size. The network works on squares of the side it was trained with: what is smaller is
// padded with black around its centre, what is larger is covered by evenly spaced squares that overlap by at least a
// quarter and are blended, the weight of a square falling linearly towards its edges.
#pragma once

#include <span>
#include <vector>

#include "apps/model.h"
#include "kernels/plane.h"
#include "nets/inpainter.h"

namespace ipa {

class SliceNetwork {
 public:
  // `batch` squares at a time.
  SliceNetwork(const Model& model, std::int64_t batch);

  // `count` slices of `size`, all in [-1, 1], to the network's output for each. Throws ErrorKind::numerical where that
  // is not finite.
  void run(std::span<const float> slices, PlaneSize size, std::span<float> out);

  std::int64_t batch() const { return batch_; }
  int side() const { return side_; }

 private:
  int side_;
  std::int64_t batch_;
  Inpainter inpainter_;
};

// First pixels of the squares that cover `length` pixels; one of 0 where a square is enough.
std::vector<int> square_starts(int length, int side);

}  // namespace ipa
