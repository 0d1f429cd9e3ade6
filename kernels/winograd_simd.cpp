// The arithmetic of winograd.h for one instruction set. Per strip of tiles: transform the input (winograd_input.h);
// for each of 36 planes multiply it by the weights, M[tile][out] = sum over in of V[tile][in] U[in][out]; transform the
// products. A strip is small, so that V and M stay in the second cache. While the products run, the next strip's
// input and this one's output are fetched: the transforms would else wait for memory.
#include "kernels/simd_tile.h"
#include "kernels/winograd_input.h"

namespace ipa::IPA_SIMD {
namespace {

constexpr std::int64_t group = 64;  // output channels of which M is made and transformed at once

// Strips of equal size, of no more tiles than one register tile has rows: with twice as many, V and M of wide layers
// leave the second cache, and nothing is gained where they stay.
struct Strips {
  std::int64_t count, tiles;

  explicit Strips(const TileGrid& grid)
      : count(divide_up(grid.tiles, tile_rows)), tiles(divide_up(grid.tiles, count)) {}
};

// ---- weights: U as [panel of output channels][planes][in][columns of the panel]

// Planes are a line further apart than they must be, as those of V are.
std::int64_t weights_plane(const WinogradShape& s, std::int64_t width) { return s.in * width + 16; }

std::int64_t panel_at(const WinogradShape& s, std::int64_t out) {  // `out` a multiple of panel_columns
  return out / panel_columns * planes * weights_plane(s, panel_columns);
}

std::int64_t weights_floats(const WinogradShape& s) {
  const std::int64_t last = (s.out - 1) / panel_columns * panel_columns;
  return panel_at(s, last) + planes * weights_plane(s, panel_width(s.out - last));
}

// Taps of a block of up to `lanes` channels in and as many out, the latter side by side; 0 beyond the last of them.
struct TapBlock {
  alignas(64) float of[9][lanes][lanes];

  void load(const WinogradShape& s, const float* w, bool backward, std::int64_t in, std::int64_t out) {
    const std::int64_t ins = smaller(s.in - in, lanes), outs = smaller(s.out - out, lanes);
    const Mask in_mask = first_lanes(ins), out_mask = first_lanes(outs);
    for (std::int64_t k = 0; k < 9; ++k) {
      Vec rows[lanes];
      for (std::int64_t i = 0; i < lanes; ++i)
        if (backward)
          rows[i] = i < ins ? IPA_SIMD::load<Vec>(w + ((in + i) * 9 + 8 - k) * s.out + out, out_mask) : Vec{};
        else
          rows[i] = i < outs ? IPA_SIMD::load<Vec>(w + ((out + i) * 9 + k) * s.in + in, in_mask) : Vec{};
      if (!backward) transpose(rows);
      for (std::int64_t i = 0; i < lanes; ++i) store(of[k][i], rows[i]);
    }
  }
};

// U = G g G^T of one channel in and `lanes` out, of which `kept` are written.
void transform_taps(const TapBlock& taps, std::int64_t in, float* u, std::int64_t plane, Mask kept) {
  Vec rows[points][3];
  for (int c = 0; c < 3; ++c) {
    const Vec column[3] = {load<Vec>(taps.of[c][in]), load<Vec>(taps.of[3 + c][in]), load<Vec>(taps.of[6 + c][in])};
    Vec o[points];
    transform_weights(column, o);
    for (int r = 0; r < points; ++r) rows[r][c] = o[r];
  }
  for (int r = 0; r < points; ++r) {
    Vec o[points];
    transform_weights(rows[r], o);
    for (int c = 0; c < points; ++c) store(u + (r * points + c) * plane, o[c], kept);
  }
}

void transform_all_weights(const WinogradShape& s, const float* w, bool backward, float* transformed,
                           std::int64_t first, std::int64_t last) {
  TapBlock taps;
  for (std::int64_t in = first * lanes; in < smaller(last * lanes, s.in); in += lanes)
    for (std::int64_t out = 0; out < s.out; out += lanes) {
      taps.load(s, w, backward, in, out);
      const std::int64_t panel = out / panel_columns * panel_columns, width = panel_width(s.out - panel);
      const Mask kept = first_lanes(width - (out - panel));  // half a vector may be the last
      float* const u = transformed + panel_at(s, panel) + (out - panel);
      for (std::int64_t i = 0; i < smaller(s.in - in, lanes); ++i)
        transform_taps(taps, i, u + (in + i) * width, weights_plane(s, width), kept);
    }
}

// ---- products

// Rows of V, from one vector of channels to the next `step` floats apart.
template <int Whole, bool Half>
__attribute__((noinline)) void multiply(const float* v, std::int64_t step, const float* u, std::int64_t in, float* m,
                                        Prefetch read, Prefetch write) {
  Tile<tile_rows, Whole, Half> sum;
  sum.clear();
  for (std::int64_t left = in; left > 0; left -= lanes, v += step)
    for (std::int64_t k = 0; k < smaller(left, lanes); ++k, u += sum.columns) {
      read.read();
      write.write();
      sum.add_product(v + k, lanes, u, lanes);
    }
  sum.store(m, lanes, step);
}

// ---- output

template <bool Fused, class V>
IPA_INLINE void transform_output_tile(const WinogradCall& c, const float* products, std::int64_t plane,
                                      std::int64_t channel, std::int64_t pixel, std::int64_t rows,
                                      std::int64_t columns) {
  const Mask channels = first_lanes(c.shape.out - channel);
  const bool all = c.shape.out - channel >= lanes_of<V>;
  V t[tile_size][points];
  IPA_UNROLL for (int k = 0; k < points; ++k) {
    V m[points], o[tile_size];
    IPA_UNROLL for (int r = 0; r < points; ++r) m[r] = load<V>(products + (r * points + k) * plane);
    transform_output(m, o);
    IPA_UNROLL for (int r = 0; r < tile_size; ++r) t[r][k] = o[r];
  }
  V scale = broadcast<V>(1), shift{};
  if (Fused && c.y_scale) scale = load<V>(c.y_scale + channel, channels);
  if (Fused && c.y_shift) shift = load<V>(c.y_shift + channel, channels);
  IPA_UNROLL for (int r = 0; r < tile_size; ++r) if (r < rows) {
    V o[tile_size];
    transform_output(t[r], o);
    IPA_UNROLL for (int k = 0; k < tile_size; ++k) if (k < columns) {
      const std::int64_t at = pixel + r * c.shape.width + k;
      if constexpr (Fused) {
        o[k] = o[k] * scale + shift;
        if (c.added) o[k] += load<V>(c.added + at * c.added_pitch + channel, channels);
        if (c.y_rectify) o[k] = c.y_slope == 0 ? relu(o[k]) : leaky_relu(o[k], c.y_slope);
      }
      if (all)  // a store by mask is slower even where the mask has all lanes
        store(c.y + at * c.y_pitch + channel, o[k]);
      else
        store(c.y + at * c.y_pitch + channel, o[k], channels);
    }
  }
}

// Channels [first, last) of a strip.
template <bool Fused>
__attribute__((noinline)) void transform_output_strip(const WinogradCall& c, const TileGrid& grid, std::int64_t tile,
                                                      std::int64_t count, const StripLayout& layout, const float* m,
                                                      std::int64_t first, std::int64_t last) {
  for_runs(grid, tile, count, [&](const TileRun& run, std::int64_t row) {
    const std::int64_t rows = smaller(c.shape.height - run.top, tile_size);
    for (std::int64_t i = 0; i < run.count; ++i) {
      const std::int64_t left = run.left + i * tile_size, columns = smaller(c.shape.width - left, tile_size);
      const std::int64_t pixel = (run.image * c.shape.height + run.top) * c.shape.width + left;
      for (std::int64_t channel = first; channel < last; channel += lanes) {
        const float* const at = m + layout.at(channel - first, row + i);
        if (last - channel <= lanes / 2)
          transform_output_tile<Fused, HalfVec>(c, at, layout.plane, channel, pixel, rows, columns);
        else
          transform_output_tile<Fused, Vec>(c, at, layout.plane, channel, pixel, rows, columns);
      }
    }
  });
}

// ---- all of it

WinogradLayout layout(const WinogradShape& s) {
  const Strips strips{TileGrid(s)};
  auto padded = [](std::int64_t floats) { return divide_up(floats, 16) * 16; };
  return {
      .strips = strips.count,
      .weights_floats = padded(weights_floats(s)),
      .weights_parts = divide_up(s.in, lanes),
      .scratch_floats = padded(StripLayout(strips.tiles, s.in).floats() + StripLayout(strips.tiles, group).floats())};
}

void run(const WinogradCall& c, std::int64_t first, std::int64_t last, float* scratch) {
  const WinogradShape& s = c.shape;
  const TileGrid grid(s);
  const Strips strips(grid);
  const StripLayout of_v(strips.tiles, s.in), of_m(strips.tiles, group);
  float *const v = scratch, *const m = scratch + of_v.floats();
  const bool fused = c.y_scale || c.y_shift || c.added || c.y_rectify;

  for (std::int64_t strip = first; strip < last; ++strip) {
    const std::int64_t tile = strip * strips.tiles, count = smaller(strips.tiles, grid.tiles - tile);
    const std::int64_t after = tile + count,
                       next_count = strip + 1 < last ? smaller(strips.tiles, grid.tiles - after) : 0;
    transform_input_strip(c, grid, tile, count, of_v, v);
    TileLines next_input(s, c.x, c.x_pitch, s.in, 1, after, next_count);
    TileLines added(s, c.added, c.added_pitch, s.out, 0, tile, c.added ? count : 0);
    for (std::int64_t out = 0; out < s.out; out += group) {
      const std::int64_t group_end = smaller(out + group, s.out);
      TileLines output(s, c.y + out, c.y_pitch, group_end - out, 0, tile, count);
      for (std::int64_t panel = out; panel < group_end; panel += panel_columns) {
        const std::int64_t width = panel_width(s.out - panel);
        const float* const u = c.weights + panel_at(s, panel);
        with_panel(width, [&]<int Whole, bool Half>() {
          for (std::int64_t p = 0; p < planes; ++p)
            for (std::int64_t row = 0; row < count; row += tile_rows)
              multiply<Whole, Half>(
                  v + p * of_v.plane + of_v.at(0, row), of_v.rows * lanes, u + p * weights_plane(s, width), s.in,
                  m + p * of_m.plane + of_m.at(panel - out, row),
                  added.done() ? next_input.next(s.in, m) : added.next(s.in, m), output.next(s.in, m));
        });
      }
      if (fused)
        transform_output_strip<true>(c, grid, tile, count, of_m, m, out, group_end);
      else
        transform_output_strip<false>(c, grid, tile, count, of_m, m, out, group_end);
    }
  }
}

}  // namespace

const WinogradKernels winograd_kernels = {layout, transform_all_weights, run};

}  // namespace ipa::IPA_SIMD
