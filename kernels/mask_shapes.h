// Random shapes for arbitrary masks. In double, so that compilers with and without fused multiply-add agree on every
// pixel but by a freak. Lengths are pixels of a 256x256 slice, relative to the shape's centre.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/rng.h"

namespace ipa {

enum class ShapeKind { brush, blob, ellipses };

// A segment with round ends.
struct Capsule {
  double x0, y0, x1, y1, radius;
};
struct Ellipse {
  double x, y, semi_a, semi_b, angle;
};
// Star-shaped around the centre: r(t) = radius (1 + sum_k amplitude[k] cos((k + 1) t + phase[k])).
struct Blob {
  double radius;
  std::array<double, 5> amplitude, phase;
};

struct MaskShape {
  std::vector<Capsule> capsules;
  std::vector<Ellipse> ellipses;
  std::vector<Blob> blobs;
};

// brush: 1-3 strokes of 2-6 segments, 8-36 long, 6-16 wide, turning by up to 108 degrees; blob: mean radius 14-32;
// ellipses: 1-4 with semi-axes 6-26. Later strokes and ellipses start within 40 of the centre.
MaskShape random_shape(ShapeKind kind, RandomSequence& random);

// Sets the pixels of a size x size canvas whose centre lies in the shape, enlarged by `scale` and centred on (x, y), to
// 1, the others to 0; what falls off the canvas is cut. Returns the number of pixels set.
int rasterize(const MaskShape& shape, double scale, double x, double y, int size, std::span<std::uint8_t> canvas);

}  // namespace ipa
