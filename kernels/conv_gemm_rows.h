// Copies rows of pixels (PixelRows) to where the innermost loop reads them one behind another, zeros included.
#pragma once

#include "kernels/conv_gemm_kernels.h"
#include "kernels/simd.h"

namespace ipa::IPA_SIMD {
namespace {

// The first pixel of a row, which may lie outside of the image.
struct Corner {
  std::int64_t image, y, x;
};

// Those of `count` points from `first` on, of which `known` exist; the others repeat the last.
inline void find_corners(const PixelRows& m, std::int64_t first, std::int64_t known, std::int64_t count, Corner* to) {
  std::int64_t j = first % m.grid_w, i = first / m.grid_w % m.grid_h, n = first / (m.grid_w * m.grid_h);
  for (std::int64_t p = 0; p < count; ++p) {
    if (p >= known) {
      to[p] = to[p - 1];
      continue;
    }
    to[p] = {n, i * m.step + m.top, j * m.step + m.left};
    if (++j < m.grid_w) continue;
    j = 0;
    if (++i < m.grid_h) continue;
    i = 0;
    ++n;
  }
}

IPA_INLINE void copy_floats(float* to, const float* from, std::int64_t count, Mask rest) {
  std::int64_t e = 0;
  for (; e + lanes <= count; e += lanes) store(to + e, load<Vec>(from + e));
  if (e < count) store(to + e, load<Vec>(from + e, rest), rest);
}

IPA_INLINE void clear_floats(float* to, std::int64_t first, std::int64_t last) {
  for (std::int64_t e = first; e < last; ++e) to[e] = 0;
}

// Columns [first, last) of the rows of `count` corners, `stride` apart.
inline void copy_rows(const PixelRows& m, const Corner* corners, std::int64_t count, std::int64_t first,
                      std::int64_t last, float* to, std::int64_t stride) {
  if (first == last) return;                                    // no taps
  const bool joined = m.spacing == 1 && m.pitch == m.channels;  // the taps of a row lie one behind another
  const std::int64_t runs = joined ? 1 : m.taps_w, length = joined ? m.taps_w * m.channels : m.channels;
  for (std::int64_t run = first / length; run * length < last; ++run) {
    const std::int64_t from = larger(first - run * length, 0), end = smaller(last - run * length, length);
    const std::int64_t down = run / runs * m.spacing, right = run % runs * m.spacing;
    const Mask rest = first_lanes((end - from) % lanes);
    float* const out = to + run * length - first;
    for (std::int64_t p = 0; p < count; ++p) {
      const std::int64_t y = corners[p].y + down, x = corners[p].x + right;
      const float* const in = m.pixels + ((corners[p].image * m.height + y) * m.width + x) * m.pitch;
      float* const row = out + p * stride;
      if (y < 0 || y >= m.height) {
        clear_floats(row, from, end);
        continue;
      }
      const std::int64_t begin = larger(from, -x * m.channels), stop = smaller(end, (m.width - x) * m.channels);
      if (begin == from && stop == end) {
        copy_floats(row + from, in + from, end - from, rest);
      } else if (begin >= stop) {
        clear_floats(row, from, end);
      } else {
        clear_floats(row, from, begin);
        for (std::int64_t e = begin; e < stop; ++e) row[e] = in[e];
        clear_floats(row, stop, end);
      }
    }
  }
}

// Whether the rows are the pixels themselves, one behind another.
IPA_INLINE bool pointwise(const PixelRows& m) {
  return m.taps_h * m.taps_w == 1 && m.step == 1 && m.top == 0 && m.left == 0 && m.grid_h == m.height &&
         m.grid_w == m.width;
}

// Memory that is wanted soon, brought near in parts while something else is computed.
class Ahead {
 public:
  Ahead(const float* from, std::int64_t floats) : at_(reinterpret_cast<const char*>(from)), left_(floats * 4) {}
  bool left() const { return left_ > 0; }
  Prefetch lines(std::int64_t count) {  // the next ones
    const Prefetch part{at_, left() ? line : 0};
    at_ += line * count;
    left_ -= line * count;
    return part;
  }

 private:
  static constexpr std::int64_t line = 64;
  const char* at_;
  std::int64_t left_;
};

// What `count` rows from point `first` on are the first to read: where the corners go, in the last row of their taps.
inline Ahead rows_ahead(const PixelRows& m, std::int64_t first, std::int64_t count) {
  auto pixel = [&](std::int64_t point) {
    const std::int64_t j = point % m.grid_w, i = point / m.grid_w % m.grid_h, n = point / (m.grid_w * m.grid_h);
    const std::int64_t y = i * m.step + m.top + (m.taps_h - 1) * m.spacing;
    return (n * m.height + y) * m.width + j * m.step + m.left;
  };
  const std::int64_t from = pixel(first);
  return {m.pixels + from * m.pitch, (pixel(first + count) - from) * m.pitch};
}

}  // namespace
}  // namespace ipa::IPA_SIMD
