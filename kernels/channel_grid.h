// How kernels that treat each channel for itself divide a tensor among CUDA's threads. A block of 256 threads takes
// `rows` pixels at a time, of each `width` groups of eight neighbouring channels: all groups of the tensor, or a chunk
// of at most 256 (grid.y). The pixels are dealt out to `blocks` blocks (grid.x) in turn. Everything is a function of
// the shape alone, so that sums have one order on every GPU and a plan needs none.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "engine/host_device.h"
#include "engine/tensor.h"

namespace ipa {

struct ChannelGrid {
  static constexpr int threads = 256;

  std::int64_t pixels, channels;
  int groups, width, rows, chunks, blocks;

  // For a pass that sums: at most two blocks for each of an H200's 132 multiprocessors. With up to 128 registers a
  // thread all are there at once, and partial sums are few.
  static ChannelGrid for_sums(const Shape& x) { return {x, 264, 8}; }
  // For a pass that only reads and writes: many blocks, which end at different times without harm.
  static ChannelGrid for_map(const Shape& x) { return {x, 2112, 4}; }

  IPA_HD std::int64_t pitch() const { return std::int64_t{8} * groups; }
  std::int64_t partial_sums(int quantities) const { return blocks * quantities * pitch(); }  // doubles of workspace

 private:
  static std::int64_t quotient_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

  ChannelGrid(const Shape& x, std::int64_t most_blocks, std::int64_t least_steps)
      : pixels(x.pixels()),
        channels(x.c),
        groups(static_cast<int>(quotient_up(x.c, 8))),
        width(std::min(groups, threads)),
        rows(threads / width),
        chunks(static_cast<int>(quotient_up(groups, width))),
        blocks(static_cast<int>(std::clamp<std::int64_t>(quotient_up(quotient_up(pixels, rows), least_steps), 1,
                                                         std::max<std::int64_t>(1, most_blocks / chunks)))) {}
};

}  // namespace ipa
