// What the weight gradient dw = G^T [sum over tiles of (A dy A^T) * (B^T x B)] G needs besides the input's transform:
// the output gradient's, the sums of products, and their transform into weights.
#pragma once

#include "kernels/simd_tile.h"
#include "kernels/winograd_input.h"

namespace ipa::IPA_SIMD {
namespace {

// ---- A dy A^T

// A y, y of 4 outputs.
template <class V>
IPA_INLINE void transform_output_gradient(const V* y, V* o) {
  const V a_even = y[0] + 0.5f * y[2], a_odd = point_a * (y[1] + 0.5f * y[3]);
  const V b_even = y[0] + 2.0f * y[2], b_odd = point_b * (y[1] + 2.0f * y[3]);
  o[0] = y[0];
  o[1] = a_even + a_odd;
  o[2] = a_even - a_odd;
  o[3] = b_even + b_odd;
  o[4] = b_even - b_odd;
  o[5] = y[3];
}

// Of a tile, `rows` x `columns` pixels lie in the image; the others are 0.
template <bool Whole, class V>
IPA_INLINE void transform_dy_tile(const float* dy, std::int64_t row_pitch, std::int64_t pixel_pitch, std::int64_t rows,
                                  std::int64_t columns, Mask channels, float* out, std::int64_t plane) {
  const Mask none = first_lanes(0);
  V t[points][tile_size];
  IPA_UNROLL for (int x = 0; x < tile_size; ++x) {
    V d[tile_size], o[points];
    IPA_UNROLL for (int y = 0; y < tile_size; ++y) d[y] =
        load<V>(dy + y * row_pitch + x * pixel_pitch, Whole || (y < rows && x < columns) ? channels : none);
    transform_output_gradient(d, o);
    IPA_UNROLL for (int y = 0; y < points; ++y) t[y][x] = o[y];
  }
  IPA_UNROLL for (int y = 0; y < points; ++y) {
    V o[points];
    transform_output_gradient(t[y], o);
    IPA_UNROLL for (int x = 0; x < points; ++x) store(out + (y * points + x) * plane, o[x]);
  }
}

template <class V>
__attribute__((noinline)) void transform_dy_run(const float* dy, std::int64_t pitch, const TileGrid& grid,
                                                const TileRun& run, Mask channels, float* out, std::int64_t plane) {
  const std::int64_t row_pitch = grid.width * pitch, rows = grid.height - run.top;
  dy += ((run.image * grid.height + run.top) * grid.width + run.left) * pitch;
  for (std::int64_t i = 0; i < run.count; ++i, dy += tile_size * pitch, out += lanes) {
    const std::int64_t columns = grid.width - run.left - i * tile_size;
    if (rows >= tile_size && columns >= tile_size)
      transform_dy_tile<true, V>(dy, row_pitch, pitch, rows, columns, channels, out, plane);
    else
      transform_dy_tile<false, V>(dy, row_pitch, pitch, rows, columns, channels, out, plane);
  }
}

inline void transform_dy_strip(const float* dy, std::int64_t pitch, const TileGrid& grid, std::int64_t channels,
                               std::int64_t first, std::int64_t count, const StripLayout& layout, float* out) {
  for_runs(grid, first, count, [&](const TileRun& run, std::int64_t row) {
    for (std::int64_t c = 0; c < channels; c += lanes) {
      const auto transform = channels - c <= lanes / 2 ? transform_dy_run<HalfVec> : transform_dy_run<Vec>;
      transform(dy + c, pitch, grid, run, first_lanes(channels - c), out + layout.at(c, row), layout.plane);
    }
  });
}

// ---- sums of products

struct TransformedTiles {
  const float* data;
  StripLayout layout;
};
struct WeightBlock {
  std::int64_t out, outs, in, ins;  // the first channels, multiples of panel_columns, and how many
};

// A register tile of sums has output channels for rows and input channels for columns. The rows of one tile are
// elements of one vector of A dy A^T.
constexpr int sum_rows = lanes == 16 ? 8 : 4;

// The sums of a block: [planes][panels of input channels][output channels][columns of the panel]. Planes are a vector
// more apart than they must be, as in StripLayout.
struct SumsLayout {
  std::int64_t rows, plane;

  explicit SumsLayout(const WeightBlock& b)
      : rows(divide_up(b.outs, lanes) * lanes), plane(rows * divide_up(b.ins, lanes / 2) * (lanes / 2) + lanes) {}
  std::int64_t floats() const { return divide_up(planes * plane, 16) * 16; }
  std::int64_t at(std::int64_t panel, std::int64_t out, std::int64_t width) const { return panel * rows + out * width; }
};

// Adds the products of some tiles to a tile of sums, or starts it. Few rows get a second tile of sums for every other
// product: each addition would else wait for the one before.
template <int Rows, int Whole, bool Half>
__attribute__((noinline)) void sum_products(const float* dy, const float* x, std::int64_t x_vector, std::int64_t tiles,
                                            float* sums, bool start, Prefetch next) {
  Tile<Rows, Whole, Half> sum;
  if (start)
    sum.clear();
  else
    sum.load(sums, sum.columns, lanes);
  auto add = [&](auto& to, std::int64_t tile) __attribute__((always_inline)) {
    next.read_later();
    to.add_product(dy + tile * lanes, 1, x + tile * lanes, x_vector);
  };
  if constexpr (Rows * (Whole + Half) < 8) {
    Tile<Rows, Whole, Half> odd;
    odd.clear();
    std::int64_t i = 0;
    for (; i + 1 < tiles; i += 2) {
      add(sum, i);
      add(odd, i + 1);
    }
    if (i < tiles) add(sum, i);
    sum.add(odd);
  } else {
    for (std::int64_t i = 0; i < tiles; ++i) add(sum, i);
  }
  sum.store(sums, sum.columns, lanes);
}

// The same for all sums of a block; next(n) are n lines of memory to fetch meanwhile.
template <class Next>
void sum_block(const TransformedTiles& x, const TransformedTiles& dy, std::int64_t tiles, const WeightBlock& b,
               float* sums, bool start, Next&& next) {
  const SumsLayout layout(b);
  for (int p = 0; p < planes; ++p)
    for (std::int64_t panel = 0; panel < b.ins; panel += panel_columns) {
      const float* const x_panel = x.data + p * x.layout.plane + x.layout.at(b.in + panel, 0);
      const std::int64_t width = panel_width(b.ins - panel);
      with_panel(width, [&]<int Whole, bool Half>() {
        constexpr int rows = Whole == 0 && 2 * sum_rows <= lanes ? 2 * sum_rows : sum_rows;
        for (std::int64_t out = 0; out < b.outs; out += rows) {
          const std::int64_t left = b.outs - out, vector = (b.out + out) / lanes * lanes;
          const float* const dy_rows = dy.data + p * dy.layout.plane + dy.layout.at(vector, 0) + (b.out + out - vector);
          const auto sum = left <= 2          ? sum_products<2, Whole, Half>
                           : left <= 4        ? sum_products<4, Whole, Half>
                           : left <= sum_rows ? sum_products<sum_rows, Whole, Half>
                                              : sum_products<rows, Whole, Half>;
          sum(dy_rows, x_panel, x.layout.at(lanes, 0), tiles, sums + p * layout.plane + layout.at(panel, out, width),
              start, next(tiles));
        }
      });
    }
}

// ---- G^T [] G

// G^T u, u of 6 sums.
template <class V>
IPA_INLINE void transform_sums(const V* u, V* o) {
  const V a_sum = u[1] + u[2], a_difference = u[1] - u[2], b_sum = u[3] + u[4], b_difference = u[3] - u[4];
  o[0] = u[0] + ((1.0f / 6) * b_sum - (2.0f / 3) * a_sum);
  o[1] = (1.0f / 6 * point_b) * b_difference - (2.0f / 3 * point_a) * a_difference;
  o[2] = (1.0f / 3) * (b_sum - a_sum) + u[5];
}

// Some input channels of one output channel, from `parts` partial sums, `part` floats apart, added in order.
template <class V>
__attribute__((noinline)) void transform_to_weights(const float* sums, std::int64_t plane, std::int64_t parts,
                                                    std::int64_t part, float* dw, std::int64_t tap, Mask channels,
                                                    bool add) {
  V t[3][points];
  IPA_UNROLL for (int x = 0; x < points; ++x) {
    V u[points], o[3];
    IPA_UNROLL for (int y = 0; y < points; ++y) {
      const float* const s = sums + (y * points + x) * plane;
      u[y] = load<V>(s);
      for (std::int64_t i = 1; i < parts; ++i) u[y] += load<V>(s + i * part);
    }
    transform_sums(u, o);
    IPA_UNROLL for (int y = 0; y < 3; ++y) t[y][x] = o[y];
  }
  IPA_UNROLL for (int y = 0; y < 3; ++y) {
    V o[3];
    transform_sums(t[y], o);
    IPA_UNROLL for (int x = 0; x < 3; ++x) {
      float* const w = dw + (y * 3 + x) * tap;
      store(w, add ? load<V>(w, channels) + o[x] : o[x], channels);
    }
  }
}

// dw, (out, 3, 3, in), of one output channel of a block: set or, where `add`, added to.
inline void transform_to_weights(const float* sums, const WeightBlock& b, std::int64_t out, std::int64_t parts,
                                 float* dw, std::int64_t in_channels, bool add) {
  const SumsLayout layout(b);
  for (std::int64_t in = 0; in < b.ins; in += lanes) {
    const std::int64_t panel = in / panel_columns * panel_columns, left = b.ins - in;
    const float* const at = sums + layout.at(panel, out, panel_width(b.ins - panel)) + (in - panel);
    const auto transform = left <= lanes / 2 ? transform_to_weights<HalfVec> : transform_to_weights<Vec>;
    transform(at, layout.plane, parts, layout.floats(), dw + (b.out + out) * 9 * in_channels + b.in + in, in_channels,
              first_lanes(left), add);
  }
}

}  // namespace
}  // namespace ipa::IPA_SIMD
