// The rule by which a mask is chosen for a slice, written once for host and device. It draws and compares; the caller
// measures how much of a mask lies on the head, each backend in its own way. Whole numbers only, so that all agree.
#pragma once

#include <cstdint>

#include "engine/host_device.h"
#include "engine/rng.h"

namespace ipa {

inline constexpr std::uint8_t head_threshold = 10;  // of 255: what is brighter is head
inline constexpr int most_redraws = 200;

struct MaskRule {
  int height = 0, width = 0;
  std::uint32_t masks = 0;  // in the set; 0: squares of a quarter of the shorter side, at random places
  bool redraw = true;       // until half of the mask lies on the head

  IPA_HD int square() const { return (height < width ? height : width) / 4; }
};

struct MaskCandidate {
  std::int32_t index = -1;           // in the set; -1 for a square
  std::int32_t row = 0, column = 0;  // of a square's top left corner
};

// Pixels of a mask, and those of them on the head: at most 2^24, so that comparing products is exact.
struct HeadShare {
  std::int32_t area = 1, head = -1;  // at first worse than any

  IPA_HD std::int64_t least_area() const { return area > 0 ? area : 1; }  // an empty mask's share is 0
  IPA_HD bool above(const HeadShare& other) const { return head * other.least_area() > other.head * least_area(); }
  IPA_HD bool half() const { return 2 * std::int64_t{head} >= least_area(); }
};

// for (MaskCandidate c = draw.next(); draw.judge(c, share of c); c = draw.next()) {}
class MaskDraw {
 public:
  IPA_HD MaskDraw(const MaskRule& rule, std::uint64_t seed, std::uint64_t step, std::uint32_t sample)
      : rule_(rule), random_(seed, RandomUse::mask_draw, step, sample) {}

  IPA_HD MaskCandidate next() {
    ++attempts_;
    MaskCandidate c;
    if (rule_.masks > 0) {
      c.index = static_cast<std::int32_t>(random_.below(rule_.masks));
    } else {
      c.row = static_cast<std::int32_t>(random_.below(static_cast<std::uint32_t>(rule_.height - rule_.square() + 1)));
      c.column = static_cast<std::int32_t>(random_.below(static_cast<std::uint32_t>(rule_.width - rule_.square() + 1)));
    }
    return c;
  }

  // Keeps it if it is the best so far; whether another is to be tried.
  IPA_HD bool judge(const MaskCandidate& c, const HeadShare& share) {
    if (share.above(best_share_)) {
      best_ = c;
      best_share_ = share;
    }
    return rule_.redraw && !best_share_.half() && attempts_ <= most_redraws;
  }

  IPA_HD const MaskCandidate& best() const { return best_; }
  IPA_HD const HeadShare& best_share() const { return best_share_; }
  IPA_HD int attempts() const { return attempts_; }

 private:
  MaskRule rule_;
  RandomSequence random_;
  MaskCandidate best_;
  HeadShare best_share_;
  int attempts_ = 0;
};

// Whether the sample is mirrored.
IPA_HD bool draws_flip(std::uint64_t seed, std::uint64_t step, std::uint32_t sample) {
  return RandomSequence(seed, RandomUse::flip, step, sample).uniform() < 0.5f;
}

}  // namespace ipa
