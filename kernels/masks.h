// Holes: the paper's mask sets, and the rule by which one is chosen for a slice. A mask is u8, 1 in the hole, 0
// elsewhere.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/mask_draw.h"
#include "kernels/plane.h"

namespace ipa {

enum class MaskKind { square, arbitrary, mixed };
enum class MaskSplit { train, test };

struct MaskSet {
  int size = 0;  // side in pixels
  std::vector<std::uint8_t> pixels;
  std::size_t count() const { return size == 0 ? 0 : pixels.size() / PlaneSize{size, size}.pixels(); }
  std::span<const std::uint8_t> operator[](std::size_t index) const {
    const std::size_t n = PlaneSize{size, size}.pixels();
    return std::span(pixels).subspan(index * n, n);
  }
};

// Pixels that a mask of a split may cover in a size x size slice: 1.36-5.46 % (train) or 1.66-4.56 % (test), limits
// included.
struct AreaWindow {
  int least;
  int most;
};
AreaWindow area_window(MaskSplit split, int size);

// The number of masks in the paper: 100 for training, 50 for the test.
int default_mask_count(MaskSplit split);

// square: size/4 x size/4 at uniformly random positions. arbitrary: of every four masks two brush strokes, one Fourier
// blob and one group of ellipses, their areas spread evenly over the split's window. mixed: of every eight masks one
// square, the others arbitrary. The same arguments give the same masks; the splits draw from disjoint random sequences.
// 32 <= size <= 4096, 1 <= count <= 100000, else ErrorKind::usage.
MaskSet make_masks(MaskKind kind, MaskSplit split, int count, int size, std::uint64_t seed);

// Joins each `number` of masks that follow one another to one: more to learn from in a slice.
MaskSet unite(const MaskSet& set, int number);

// Of a mask, on a picture of which `head` is 1 on the head and 0 elsewhere; of a square, of which only its place is
// read.
HeadShare share_on_head(std::span<const std::uint8_t> mask, std::span<const std::uint8_t> head);
HeadShare share_of_square(const MaskRule& rule, const MaskCandidate& square, std::span<const std::uint8_t> head);

// The share of the mask's pixels on which the slice is brighter than head_threshold; 0 for an empty mask.
double head_fraction(std::span<const std::uint8_t> mask, std::span<const std::uint8_t> slice);

// Where training and evaluation take masks from: squares (`set` empty), or a set, of which one mask is drawn.
struct MaskSource {
  MaskSet set;
  bool redraw = true;  // until half of it lies on the head; false for a user's file, whose masks are used as they are
};

struct DrawnMask {
  std::int64_t index;  // in the set; -1 for a square
  int attempts;        // 1 where the first was taken
  double head_fraction;
};

// Writes one mask for the slice to `out`. With redraw, tries up to 1 + 200 masks (a square at another position, or
// another one of the set) until at least half of it lies on the head; failing that, keeps the one with the most. A
// function of (seed, step, sample) and the slice alone. A set must have the slice's size (ErrorKind::input).
DrawnMask draw_mask(const MaskSource& source, std::span<const std::uint8_t> slice, PlaneSize size, std::uint64_t seed,
                    std::uint64_t step, std::uint32_t sample, std::span<std::uint8_t> out);

}  // namespace ipa
