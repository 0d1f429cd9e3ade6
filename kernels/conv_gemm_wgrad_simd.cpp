#include "kernels/conv_gemm_rows.h"
#include "kernels/simd_tile.h"

namespace ipa::IPA_SIMD {
namespace {

constexpr std::int64_t block_points = 96;

// Channels of dy in a tile: few, so that they divide most widths, and still enough sums to keep the units busy.
constexpr int rows = lanes == 16 ? 8 : 4;

// The channels of dy that do not fill a tile, filled up with zeros.
void copy_last_channels(const ConvGemmWgrad& g, std::int64_t first, std::int64_t points, float* to) {
  const std::int64_t whole = g.out / rows * rows;
  for (std::int64_t p = 0; p < points; ++p)
    for (std::int64_t o = whole; o < whole + rows; ++o) *to++ = o < g.out ? g.dy[(first + p) * g.dy_pitch + o] : 0;
}

// A block's sums, rows of `width`, to `to`, added to what was there before if there was.
void finish(const float* block, const float* before, std::int64_t width, std::int64_t count, std::int64_t real,
            float* to, std::int64_t to_row) {
  for (std::int64_t c = 0; c < real; c += lanes) {
    const Mask mask = first_lanes(real - c);
    for (std::int64_t r = 0; r < count; ++r) {
      Vec v = load<Vec>(block + r * width + c);
      if (before) v += load<Vec>(before + r * width + c, mask);
      store(to + r * to_row + c, v, mask);
    }
  }
}

void accumulate(const ConvGemmWgrad& g, std::int64_t first, std::int64_t last, std::int64_t first_column,
                std::int64_t last_column, float* sums, float* dw) {
  alignas(64) float copied[block_points * panel_columns];
  alignas(64) float last_channels[block_points * rows];
  alignas(64) float block[rows * panel_columns + lanes];
  Corner corners[block_points];
  const PixelRows& m = g.rows;
  const std::int64_t columns = m.columns();
  for (std::int64_t at = first; at < last; at += block_points) {
    const std::int64_t points = smaller(block_points, last - at), after = at + points;
    const bool to_dw = dw && after == last;
    Ahead next_dy(g.dy + after * g.dy_pitch, smaller(block_points, last - after) * g.dy_pitch);
    Ahead next_x = rows_ahead(m, after, smaller(block_points, last - after));
    if (!pointwise(m) || after == m.points()) find_corners(m, at, points, points, corners);
    if (g.out % rows) copy_last_channels(g, at, points, last_channels);
    for (std::int64_t column = first_column; column < last_column; column += panel_columns) {
      const std::int64_t width = panel_width(columns - column), real = smaller(width, columns - column);
      const float* b = m.pixels + at * m.pitch + column;
      std::int64_t b_next = m.pitch;
      // Pixels are read where they are. What is read beyond the last channel belongs to the next pixel, and to sums
      // that are thrown away; but the last pixel of all has no next.
      if (!pointwise(m) || after == m.points()) {
        copy_rows(m, corners, points, column, column + real, copied, width);
        for (std::int64_t p = 0; real < width && p < points; ++p) clear_floats(copied + p * width, real, width);
        b = copied;
        b_next = width;
      }
      with_panel(width, [&]<int Whole, bool Half>() {
        for (std::int64_t o = 0; o < g.out; o += rows) {
          const bool whole = o + rows <= g.out;
          const float* const a = whole ? g.dy + at * g.dy_pitch + o : last_channels;
          const std::int64_t a_next = whole ? g.dy_pitch : rows;
          Prefetch line = next_dy.left() ? next_dy.lines(points) : next_x.lines(points);
          Tile<rows, Whole, Half> c;
          c.clear();
          for (std::int64_t p = 0; p < points; ++p) {
            c.add_product(a + p * a_next, 1, b + p * b_next, lanes);
            line.read();
          }
          c.store(block, c.columns, lanes);
          float* const sum = sums + column * g.out + o * width;
          finish(block, at > first ? sum : nullptr, width, smaller(rows, g.out - o), to_dw ? real : width,
                 to_dw ? dw + o * columns + column : sum, to_dw ? columns : width);
        }
      });
    }
  }
}

void add_up(const ConvGemmWgrad& g, std::int64_t o, const float* sums, std::int64_t parts, std::int64_t part_stride,
            float* dw) {
  const std::int64_t columns = g.rows.columns();
  for (std::int64_t column = 0; column < columns; column += panel_columns) {
    const std::int64_t width = panel_width(columns - column), real = smaller(width, columns - column);
    for (std::int64_t c = 0; c < real; c += lanes) {
      const Mask mask = first_lanes(real - c);
      const float* const from = sums + column * g.out + o * width + c;
      Vec v = load<Vec>(from, mask);
      for (std::int64_t p = 1; p < parts; ++p) v += load<Vec>(from + p * part_stride, mask);
      store(dw + o * columns + column + c, v, mask);
    }
  }
}

}  // namespace

const ConvGemmWgradKernels conv_gemm_wgrad_kernels = {panel_columns, block_points, accumulate, add_up};

}  // namespace ipa::IPA_SIMD
