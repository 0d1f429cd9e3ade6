// Tiles of 4x4 pixels, numbered image by image, row by row; a strip is a range of them, worked on at once.
#pragma once

#include "kernels/winograd_kernels.h"
#include "kernels/winograd_transforms.h"

namespace ipa::IPA_SIMD {
namespace {

struct TileGrid {
  std::int64_t height, width, down, across, tiles;  // pixels; tiles of an image; tiles of all

  explicit TileGrid(const WinogradShape& s)
      : height(s.height),
        width(s.width),
        down(divide_up(s.height, tile_size)),
        across(divide_up(s.width, tile_size)),
        tiles(s.images * down * across) {}
};

// Neighbours in one row of tiles.
struct TileRun {
  std::int64_t image, top, left, count;  // pixels of the first tile's corner; tiles

  TileRun(const TileGrid& g, std::int64_t tile, std::int64_t most) {
    const std::int64_t column = tile % g.across, row = tile / g.across;
    image = row / g.down;
    top = row % g.down * tile_size;
    left = column * tile_size;
    count = smaller(most, g.across - column);
  }
};

// f(run, index of its first tile in the strip) for the runs of `count` tiles from `first` on.
template <class F>
IPA_INLINE void for_runs(const TileGrid& g, std::int64_t first, std::int64_t count, F&& f) {
  for (std::int64_t i = 0; i < count;) {
    const TileRun run(g, first + i, count - i);
    f(run, i);
    i += run.count;
  }
}

// Walks through the memory of a strip's pixels, `halo` more on each side, to fetch it while something else is
// computed.
class TileLines {
 public:
  TileLines(const WinogradShape& shape, const float* data, std::int64_t pitch, std::int64_t channels, int halo,
            std::int64_t first, std::int64_t count)
      : grid_(shape),
        data_(data),
        pitch_(pitch),
        channels_(channels),
        halo_(halo),
        dense_(pitch - channels < 2 * line),
        columns_(dense_ ? 1 : divide_up(channels, line)),
        next_(first),
        end_(first + count) {
    start_run();
  }
  bool done() const { return lines_ <= 0; }

  // The next `steps` lines, or none.
  Prefetch next(std::int64_t steps, const void* idle) {
    if (done()) return {static_cast<const char*>(idle), 0};
    const Prefetch p{at_, step_};
    at_ += steps * step_;
    lines_ -= steps;
    if (lines_ <= 0) advance();
    return p;
  }

 private:
  static constexpr std::int64_t line = 16;  // floats

  void start_run() {
    if (next_ >= end_) return;
    const TileRun run(grid_, next_, end_ - next_);
    next_ += run.count;
    row_ = run.image * grid_.height + larger(run.top - halo_, 0);
    last_row_ = run.image * grid_.height + smaller(run.top + tile_size + halo_, grid_.height) - 1;
    left_ = run.left;
    pixels_ = smaller(run.left + run.count * tile_size + halo_, grid_.width) - run.left;
    column_ = 0;
    start_lines();
  }
  void start_lines() {
    at_ = reinterpret_cast<const char*>(data_ + (row_ * grid_.width + left_) * pitch_ + column_ * line);
    step_ = (dense_ ? line : pitch_) * static_cast<std::int64_t>(sizeof(float));
    lines_ = dense_ ? divide_up((pixels_ - 1) * pitch_ + channels_, line) : pixels_;
  }
  void advance() {
    if (++column_ < columns_) return start_lines();
    column_ = 0;
    if (++row_ <= last_row_) return start_lines();
    start_run();
  }

  TileGrid grid_;
  const float* data_ = nullptr;
  std::int64_t pitch_ = 0, channels_ = 0, halo_ = 0;
  bool dense_ = true;                                                         // or a narrow slice, whose lines are
  std::int64_t columns_ = 1;                                                  // fetched column by column
  std::int64_t next_ = 0, end_ = 0;                                           // tiles
  std::int64_t row_ = 0, last_row_ = 0, left_ = 0, pixels_ = 0, column_ = 0;  // of the present run
  const char* at_ = nullptr;
  std::int64_t step_ = 0, lines_ = 0;  // of the present row
};

}  // namespace
}  // namespace ipa::IPA_SIMD
