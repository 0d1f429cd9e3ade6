// Rows (pixels) of C channels, taken several at a time as one long row of lanes, so that narrow and odd widths (8, 17,
// 51) fill vector registers too. Lane i belongs to channel i % C; per-channel vectors are tiled alike.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/parallel.h"

namespace ipa {

constexpr std::int64_t most_lanes = 512;  // of one piece: accumulators fit on the stack

struct Lanes {
  std::int64_t channels, rows;  // of a row; rows taken at a time

  explicit Lanes(std::int64_t c) : channels(c), rows(c >= 64 ? 1 : 8 * std::max<std::int64_t>(1, 32 / c)) {}
  std::int64_t width() const { return channels * rows; }
};

// body(lane, count): the lanes in pieces. Only rows wider than most_lanes need more than one.
template <class Body>
void for_pieces(const Lanes& l, Body&& body) {
  for (std::int64_t lane = 0; lane < l.width(); lane += most_lanes) body(lane, std::min(most_lanes, l.width() - lane));
}

// body(offset, count): this piece of rows [first, last); element offset + i of the tensor belongs to lane + i.
template <class Body>
void for_rows(const Lanes& l, std::int64_t first, std::int64_t last, std::int64_t lane, std::int64_t count,
              Body&& body) {
  for (std::int64_t row = first; row < last; row += l.rows)
    body(row * l.channels + lane, std::min(count, (last - row) * l.channels - lane));
}

// body(offset, lane, count) over all elements of a tensor, in parallel.
template <class Body>
void for_lanes(std::int64_t rows, std::int64_t channels, Body&& body) {
  const Lanes l(channels);
  parallel_blocks(rows, reduction_rows(channels), [&](std::int64_t, std::int64_t first, std::int64_t last) {
    for_pieces(l, [&](std::int64_t lane, std::int64_t count) {
      for_rows(l, first, last, lane, count, [&](std::int64_t at, std::int64_t n) { body(at, lane, n); });
    });
  });
}

// Writes a per-channel function of the channel to every lane.
template <class F>
void tile(float* lanes, const Lanes& l, F&& f) {
  for (std::int64_t c = 0; c < l.channels; ++c) lanes[c] = f(c);
  for (std::int64_t i = l.channels; i < l.width(); ++i) lanes[i] = lanes[i - l.channels];
}

// K sums for each lane of a piece.
template <int K>
struct LaneSums {
  alignas(64) double of[K][most_lanes];

  void clear(std::int64_t count) {
    for (auto& sum : of) std::fill_n(sum, count, 0.0);
  }
  // Adds up the lanes of each channel; the first min(count, C) lanes then hold the channels' sums.
  void fold(const Lanes& l, std::int64_t count) {
    for (auto& sum : of)
      for (std::int64_t at = l.channels; at < count; at += l.channels)
        for (std::int64_t c = 0; c < l.channels; ++c) sum[c] += sum[at + c];
  }
};

// K sums per channel of a block of rows, out[k * C + c]. body(offset, lane, count, sums) adds to sums.of[k][i].
template <int K, class Body>
void block_sums(double* out, const Lanes& l, std::int64_t first, std::int64_t last, Body&& body) {
  LaneSums<K> sums;
  for_pieces(l, [&](std::int64_t lane, std::int64_t count) {
    sums.clear(count);
    for_rows(l, first, last, lane, count, [&](std::int64_t at, std::int64_t n) { body(at, lane, n, sums); });
    sums.fold(l, count);
    for (int k = 0; k < K; ++k) std::copy_n(sums.of[k], std::min(count, l.channels), out + k * l.channels + lane);
  });
}

}  // namespace ipa
