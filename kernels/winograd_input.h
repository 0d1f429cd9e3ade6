// The transformed input of a strip of tiles: V = B^T d B of every 6x6 pixels, after the prologue.
#pragma once

#include "kernels/winograd_tiles.h"

namespace ipa::IPA_SIMD {
namespace {

// How V and the products lie in memory: [planes][channels / lanes][rows][lanes]. Rows are tiles, up to a multiple of
// tile_rows; those of a register tile are then `lanes` floats apart. Planes are a vector more apart than they must be:
// at multiples of 4 KiB their lines would share few places in the first cache.
struct StripLayout {
  std::int64_t rows, plane;

  StripLayout(std::int64_t tiles, std::int64_t channels)
      : rows(divide_up(tiles, tile_rows) * tile_rows), plane(divide_up(channels, lanes) * rows * lanes + lanes) {}
  std::int64_t floats() const { return planes * plane; }
  std::int64_t at(std::int64_t channel, std::int64_t row) const { return channel * rows + row * lanes; }
};

// A run of tiles in one vector of channels.
template <class V>
struct InputRun {
  const float* x;  // of the pixel before the first tile's corner, which may lie outside of the image
  std::int64_t row_pitch, pixel_pitch, column, width, tiles;
  Mask rows[points];  // the channels, or none where the row lies outside
  V scale, shift, floor;
  float* out;
  std::int64_t plane;
};

// Three of the six rows of B^T d B; all six at once would not fit into the registers. Neighbours share two columns,
// which are carried along.
template <int Half, bool Fused, class V>
__attribute__((noinline)) void transform_run(InputRun<V> run) {  // a copy, which no store can change
  V t[3][points];
  const float* x = run.x + Half * run.row_pitch;
  std::int64_t column = run.column;
  const std::uint64_t width = static_cast<std::uint64_t>(run.width);
  const Mask rows[5] = {run.rows[Half], run.rows[Half + 1], run.rows[Half + 2], run.rows[Half + 3], run.rows[Half + 4]};
  auto next_column = [&](int k) __attribute__((always_inline)) {
    if (static_cast<std::uint64_t>(column) < width) {  // and not before the first one
      V d[5];
      IPA_UNROLL for (int r = 0; r < 5; ++r) {
        d[r] = load<V>(x + r * run.row_pitch, rows[r]);
        if constexpr (Fused) d[r] = keep(at_least(d[r] * run.scale + run.shift, run.floor), rows[r]);
      }
      transform_input_half<Half>(d, t[0][k], t[1][k], t[2][k]);
    } else {
      t[0][k] = t[1][k] = t[2][k] = V{};
    }
    x += run.pixel_pitch;
    ++column;
  };
  next_column(4);
  next_column(5);
  float* out = run.out;
  for (std::int64_t i = 0; i < run.tiles; ++i, out += lanes) {
    IPA_UNROLL for (int r = 0; r < 3; ++r) {
      t[r][0] = t[r][4];
      t[r][1] = t[r][5];
    }
    next_column(2);
    next_column(3);
    next_column(4);
    next_column(5);
    IPA_UNROLL for (int r = 0; r < 3; ++r) {
      V o[points];
      transform_input(t[r], o);
      IPA_UNROLL for (int k = 0; k < points; ++k) store(out + ((3 * Half + r) * points + k) * run.plane, o[k]);
    }
  }
}

template <class V>
IPA_INLINE void transform_run(const WinogradCall& c, const TileRun& tiles, std::int64_t channel, float* out,
                              std::int64_t plane) {
  const WinogradShape& s = c.shape;
  const Mask channels = first_lanes(s.in - channel);
  const std::int64_t first_row = tiles.top - 1, column = tiles.left - 1;
  InputRun<V> run{.x = c.x + ((tiles.image * s.height + first_row) * s.width + column) * c.x_pitch + channel,
                  .row_pitch = s.width * c.x_pitch,
                  .pixel_pitch = c.x_pitch,
                  .column = column,
                  .width = s.width,
                  .tiles = tiles.count,
                  .rows = {},
                  .scale = broadcast<V>(1),
                  .shift = {},
                  .floor = broadcast<V>(c.x_relu ? 0 : -__builtin_inff()),
                  .out = out,
                  .plane = plane};
  for (int r = 0; r < points; ++r) {
    const bool inside = first_row + r >= 0 && first_row + r < s.height;
    run.rows[r] = inside ? channels : first_lanes(0);
  }
  if (c.x_scale) {
    run.scale = load<V>(c.x_scale + channel, channels);
    run.shift = load<V>(c.x_shift + channel, channels);
  }
  if (c.x_scale || c.x_relu) {
    transform_run<0, true>(run);
    transform_run<1, true>(run);
  } else {
    transform_run<0, false>(run);
    transform_run<1, false>(run);
  }
}

// Rows without a tile are multiplied too, and what others left there might be numbers that the CPU is slow with.
inline void clear_rows(const StripLayout& layout, std::int64_t channels, std::int64_t first, float* out) {
  const std::size_t bytes = static_cast<std::size_t>(layout.rows - first) * lanes * sizeof(float);
  for (int p = 0; p < planes && bytes; ++p)
    for (std::int64_t channel = 0; channel < channels; channel += lanes)
      __builtin_memset(out + p * layout.plane + layout.at(channel, first), 0, bytes);
}

inline void transform_input_strip(const WinogradCall& c, const TileGrid& grid, std::int64_t first, std::int64_t count,
                                  const StripLayout& layout, float* out) {
  for_runs(grid, first, count, [&](const TileRun& run, std::int64_t row) {
    for (std::int64_t channel = 0; channel < c.shape.in; channel += lanes) {
      float* const at = out + layout.at(channel, row);
      if (c.shape.in - channel <= lanes / 2)
        transform_run<HalfVec>(c, run, channel, at, layout.plane);
      else
        transform_run<Vec>(c, run, channel, at, layout.plane);
    }
  });
  clear_rows(layout, c.shape.in, count, out);
}

}  // namespace
}  // namespace ipa::IPA_SIMD
