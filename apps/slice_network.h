// The generator on slices of any size. The network works on squares of the side it was trained with: what is smaller is
// padded with black around its centre, what is larger is covered by evenly spaced squares that overlap by at least a
// quarter and are blended, the weight of a square falling linearly towards its edges. The network can be asked about a
// square and its mirror images; what it makes of them, mirrored back, is averaged.
#pragma once

#include <span>
#include <vector>

#include "apps/model.h"
#include "engine/mailbox.h"
#include "kernels/plane.h"
#include "nets/inpainter.h"

namespace ipa {

struct SliceNetworkOptions {
  std::int64_t batch = 4;  // squares at a time
  int views = 1;           // 1: as it is; 2: and its left-right mirror image; 4: and both upside down
};

class SliceNetwork {
 public:
  SliceNetwork(const Model& model, const SliceNetworkOptions& options);

  // `count` slices of `size`, all in [-1, 1], to the network's output for each. Throws ErrorKind::numerical where that
  // is not finite.
  void run(std::span<const float> slices, PlaneSize size, std::span<float> out);

  // So many slices a call, of the network's side, keep the device at work while the host prepares and collects.
  std::int64_t slices_at_once() const;

 private:
  struct Place;
  static std::vector<Place> places_of(std::size_t slice, PlaneSize size, int side, int views);
  void send(std::span<const float> slices, PlaneSize size, std::span<const Place> places);
  void collect(std::span<const Place> places, PlaneSize size, std::span<float> out, std::span<float> weights);

  int side_;
  std::int64_t batch_;
  int views_;
  Inpainter inpainter_;
  Mailbox mailbox_;
};

// First pixels of the squares that cover `length` pixels; one of 0 where a square is enough.
std::vector<int> square_starts(int length, int side);

}  // namespace ipa
