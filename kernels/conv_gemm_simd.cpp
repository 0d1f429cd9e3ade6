#include "kernels/conv_gemm_rows.h"
#include "kernels/simd_tile.h"

namespace ipa::IPA_SIMD {
namespace {

constexpr std::int64_t block_points = 112 / tile_rows * tile_rows;
constexpr std::int64_t depth = 256;  // columns of the rows that are copied together: a block of them fits the L2 cache

void pack(const ConvGemm& g, const float* w, std::int64_t tap, std::int64_t column, float* packed) {
  const PixelRows& m = g.rows;
  const ConvGemmWeights& s = g.weights;
  const std::int64_t width = panel_width(s.columns - column), real = smaller(width, s.columns - column);
  const float* const from = w + column * s.column_stride + (s.row + tap / m.taps_w * s.row_step) * s.row_stride +
                            (s.col + tap % m.taps_w * s.col_step) * s.col_stride;
  float* const to = packed + column * m.columns() + tap * m.channels * width;
  constexpr std::int64_t step = 16;  // channels at a time: one line of w and few lines of `packed`
  for (std::int64_t c = 0; c < m.channels; c += step) {
    const std::int64_t end = smaller(c + step, m.channels);
    if (s.column_stride == 1) {
      for (std::int64_t k = c; k < end; ++k)
        for (std::int64_t n = 0; n < real; ++n) to[k * width + n] = from[k * s.channel_stride + n];
    } else {
      for (std::int64_t n = 0; n < real; ++n)
        for (std::int64_t k = c; k < end; ++k) to[k * width + n] = from[n * s.column_stride + k * s.channel_stride];
    }
    for (std::int64_t k = c; k < end; ++k) clear_floats(to + k * width, real, width);
  }
}

// Where the points' pixels of y begin.
void find_outputs(const ConvGemm& g, std::int64_t first, std::int64_t count, std::int64_t* to) {
  const PixelRows& m = g.rows;
  std::int64_t j = first % m.grid_w, i = first / m.grid_w % m.grid_h, n = first / (m.grid_w * m.grid_h);
  for (std::int64_t p = 0; p < count; ++p) {
    to[p] = ((n * g.y_height + i * g.y_step + g.y_top) * g.y_width + j * g.y_step + g.y_left) * g.y_pitch;
    if (++j < m.grid_w) continue;
    j = 0;
    if (++i < m.grid_h) continue;
    i = 0;
    ++n;
  }
}

// Where `count` points from `first` on will be written. The other classes of pixels lie between those of the first.
Ahead outputs_ahead(const ConvGemm& g, std::int64_t first, std::int64_t count) {
  if (g.y_top > 0 || g.y_left > 0) return {g.y, 0};
  std::int64_t at[2];
  find_outputs(g, first, 1, at);
  find_outputs(g, first + count, 1, at + 1);
  return {g.y + at[0], at[1] - at[0]};
}

// Rows of sums to y; `more`: laid out as y, what they are added to, or null; `done`: these are the last.
void finish(const ConvGemm& g, const float* sums, std::int64_t width, std::int64_t rows, const std::int64_t* outputs,
            std::int64_t column, const float* more, bool done) {
  const std::int64_t left = g.weights.columns - column;
  const bool bias = done && g.bias, rectify = done && g.rectify;
  for (std::int64_t c = 0; c < smaller(width, left); c += lanes) {
    const Mask mask = first_lanes(smaller(width, left) - c);
    const Vec shift = bias ? load<Vec>(g.bias + column + c, mask) : Vec{};
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t at = outputs[r] + column + c;
      float* const out = g.y + at;
      Vec v = load<Vec>(sums + r * width + c);
      if (more) v += load<Vec>(more + at, mask);
      if (bias) v += shift;
      if (rectify) v = g.slope == 0 ? relu(v) : leaky_relu(v, g.slope);
      store(out, v, mask);
    }
  }
}

// Whole rows of sums to y, added to `more`, laid out as y, where `More`, and no more to do.
template <bool More, int Whole, bool Half>
IPA_INLINE void store_rows(const Tile<tile_rows, Whole, Half>& c, float* y, const float* more,
                           const std::int64_t* outputs) {
  auto put = [=](std::int64_t at, auto v) __attribute__((always_inline)) {
    if constexpr (More) v += load<decltype(v)>(more + at);
    store(y + at, v);
  };
  IPA_UNROLL for (int r = 0; r < tile_rows; ++r) {
    IPA_UNROLL for (int v = 0; v < Whole; ++v) put(outputs[r] + v * lanes, c.whole[r][v]);
    if constexpr (Half) put(outputs[r] + Whole * lanes, c.half[r]);
  }
}

void multiply(const ConvGemm& g, std::int64_t first, std::int64_t last, std::int64_t first_column,
              std::int64_t last_column) {
  alignas(64) float copied[block_points * depth];
  alignas(64) float sums[tile_rows * panel_columns + lanes];
  Corner corners[block_points];
  std::int64_t outputs[block_points];
  const PixelRows& m = g.rows;
  const std::int64_t columns = m.columns(), points = last - first;
  const std::int64_t filled = (points + tile_rows - 1) / tile_rows * tile_rows;
  const bool in_place = pointwise(m) && filled == points;
  const std::int64_t next_points = smaller(block_points, m.points() - last);
  Ahead next_rows = rows_ahead(m, last, next_points), next_outputs = outputs_ahead(g, last, next_points);
  if (!in_place) find_corners(m, first, points, filled, corners);
  find_outputs(g, first, points, outputs);
  const bool large = columns * g.weights.columns > 1 << 16;  // the packed weights do not stay in the cache
  auto packed_at = [&](std::int64_t column, std::int64_t k) {
    return g.packed + column * columns + k * panel_width(g.weights.columns - column);
  };
  for (std::int64_t k = 0; k == 0 || k < columns; k += depth) {
    const std::int64_t count = smaller(depth, columns - k);
    const float* a = m.pixels + first * m.pitch + k;
    std::int64_t a_row = m.pitch;
    if (!in_place) {
      copy_rows(m, corners, filled, k, k + count, copied, depth);
      a = copied;
      a_row = depth;
    }
    const float* const more = k > 0 ? g.y : g.added;  // the sums so far
    const bool done = k + count == columns, plain = !done || (!g.bias && !g.rectify);
    for (std::int64_t column = first_column; column < last_column; column += panel_columns) {
      const std::int64_t width = panel_width(g.weights.columns - column), after = column + panel_columns;
      const float* const b = packed_at(column, k);
      Ahead next_weights(after < last_column ? packed_at(after, k) : packed_at(first_column, k + depth),
                         large ? depth * panel_columns : 0);
      with_panel(width, [&]<int Whole, bool Half>() {
        for (std::int64_t p = 0; p < points; p += tile_rows) {
          Tile<tile_rows, Whole, Half> c;
          c.clear();
          const float* const row = a + p * a_row;
          Prefetch next_row = next_weights.left() ? next_weights.lines(count) : next_rows.lines(count);
          Prefetch next_output = next_outputs.lines(count);
          for (std::int64_t e = 0; e < count; ++e) {
            c.add_product(row + e, a_row, b + e * c.columns, lanes);
            next_row.read();
            next_output.write();
          }
          if (plain && column + c.columns <= g.weights.columns && p + tile_rows <= points) {
            if (more)
              store_rows<true>(c, g.y + column, more + column, outputs + p);
            else
              store_rows<false>(c, g.y + column, nullptr, outputs + p);
          } else {
            c.store(sums, c.columns, lanes);
            finish(g, sums, width, smaller(tile_rows, points - p), outputs + p, column, more, done);
          }
        }
      });
    }
  }
}

}  // namespace

const ConvGemmKernels conv_gemm_kernels = {panel_columns, block_points, pack, multiply};

}  // namespace ipa::IPA_SIMD
