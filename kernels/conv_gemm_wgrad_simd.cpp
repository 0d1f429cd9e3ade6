#include "kernels/conv_gemm_rows.h"
#include "kernels/simd_tile.h"

namespace ipa::IPA_SIMD {
namespace {

constexpr std::int64_t block_points = 128;
constexpr int rows = lanes == 16 ? 8 : tile_rows;  // channels of dy in a tile: 8 divides most widths

// The channels of dy that do not fill a tile, filled up with zeros.
void copy_last_channels(const ConvGemmWgrad& g, std::int64_t first, std::int64_t points, float* to) {
  const std::int64_t o = g.out / rows * rows;
  for (std::int64_t p = 0; p < points; ++p)
    for (std::int64_t r = 0; r < rows; ++r) to[p * rows + r] = o + r < g.out ? g.dy[(first + p) * g.dy_pitch + o + r] : 0;
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
    const std::int64_t points = least(block_points, last - at);
    const bool to_dw = dw && at + points == last;
    find_corners(m, at, points, points, corners);
    if (g.out % rows) copy_last_channels(g, at, points, last_channels);
    for (std::int64_t column = first_column; column < last_column; column += panel_columns) {
      const std::int64_t width = panel_width(columns - column), real = least(width, columns - column);
      copy_rows(m, corners, points, column, column + real, copied, width);
      for (std::int64_t p = 0; real < width && p < points; ++p) clear_floats(copied + p * width, real, width);
      with_panel(width, [&]<int Whole, bool Half>() {
        for (std::int64_t o = 0; o < g.out; o += rows) {
          const bool whole = o + rows <= g.out;
          const float* const a = whole ? g.dy + at * g.dy_pitch + o : last_channels;
          const std::int64_t next = whole ? g.dy_pitch : rows;
          Tile<rows, Whole, Half> c;
          c.clear();
          for (std::int64_t p = 0; p < points; ++p) c.add_product(a + p * next, 1, copied + p * c.columns, lanes);
          c.store(block, c.columns, lanes);
          float* const sum = sums + column * g.out + o * width;
          finish(block, at > first ? sum : nullptr, width, least(rows, g.out - o), to_dw ? real : width,
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
    const std::int64_t width = panel_width(columns - column), real = least(width, columns - column);
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
