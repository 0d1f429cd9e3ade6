// Harmonic fill: the smoothest continuation of the known pixels into a hole; the baseline that is told the mask.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/plane.h"

namespace ipa {

// Replaces the pixels where `mask` is non-zero by the solution of the discrete Laplace equation: every such pixel is
// the mean of its 4 neighbours, of 3 or 2 at the image's border (no flow through it). Known pixels stay bit for bit.
// The error of the result is below 1e-4 of the range of the known pixels beside the hole. One thread; images may be
// filled in parallel. Throws ErrorKind::input where the mask covers the whole image.
void harmonic_fill(std::span<float> image, std::span<const std::uint8_t> mask, PlaneSize size);

}  // namespace ipa
