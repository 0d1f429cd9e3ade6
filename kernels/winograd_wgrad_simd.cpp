// The arithmetic of winograd_wgrad.h for one instruction set, in one of two ways by shape. Where many tiles share few
// weights, ranges of tiles are worked on, each with sums of its own, which are added in the end. Where few tiles share
// many weights, whose sums would not stay in a cache, a chunk of tiles is transformed, then worked on block of weights
// by block of weights.
#include "kernels/winograd_sums.h"
#include "kernels/winograd_wgrad_kernels.h"

namespace ipa::IPA_SIMD {
namespace {

constexpr std::int64_t mebi = std::int64_t{1} << 18;  // floats in 1 MiB

// Phase 0: each part goes through a range of tiles, strip by strip, and adds to a partial sum of all weights. While the
// products run, the next strip is fetched. Phase 1: each part adds the partial sums of one output channel.
class Ranges {
 public:
  explicit Ranges(const WinogradShape& s)
      : grid_(s), weights_{0, s.out, 0, s.in}, sums_(weights_), x_(strip, s.in), dy_(strip, s.out) {
    const std::int64_t wanted = smaller(32, larger(8, 6 * mebi / sums_.floats()));
    count_ = smaller(wanted, grid_.tiles / 128);
  }
  bool fit() const { return sums_.floats() <= 2 * mebi && count_ > 1; }

  WinogradWgradWork work() const { return {2, count_ * sums_.floats(), x_.floats() + dy_.floats()}; }
  std::int64_t parts(std::int64_t phase) const { return phase == 0 ? count_ : weights_.outs; }
  void run(const WinogradWgradCall& c, std::int64_t phase, std::int64_t part, float* shared, float* scratch) const {
    if (phase == 0)
      sum(c, part, shared + part * sums_.floats(), scratch, scratch + x_.floats());
    else
      transform_to_weights(shared, weights_, part, count_, c.dw, weights_.ins, false);
  }

 private:
  static constexpr std::int64_t strip = 42;  // tiles

  void sum(const WinogradWgradCall& c, std::int64_t range, float* sums, float* x, float* dy) const {
    const WinogradShape& s = c.forward.shape;
    const std::int64_t begin = grid_.tiles * range / count_, end = grid_.tiles * (range + 1) / count_;
    for (std::int64_t first = begin; first < end; first += strip) {
      const std::int64_t tiles = smaller(strip, end - first), next = first + tiles;
      transform_input_strip(c.forward, grid_, first, tiles, x_, x);
      transform_dy_strip(c.dy, c.dy_pitch, grid_, s.out, first, tiles, dy_, dy);
      TileLines next_x(s, c.forward.x, c.forward.x_pitch, s.in, 1, next, smaller(strip, end - next));
      TileLines next_dy(s, c.dy, c.dy_pitch, s.out, 0, next, smaller(strip, end - next));
      sum_block({x, x_}, {dy, dy_}, tiles, weights_, sums, first == begin,
                [&](std::int64_t lines) { return next_x.done() ? next_dy.next(lines, x) : next_x.next(lines, x); });
    }
  }

  TileGrid grid_;
  WeightBlock weights_;  // all
  SumsLayout sums_;
  StripLayout x_, dy_;
  std::int64_t count_;
};

// Even phases: each part transforms some tiles of a chunk. Odd phases: each part sums one block of weights over the
// chunk and adds it to dw.
class Blocks {
 public:
  explicit Blocks(const WinogradShape& s)
      : grid_(s),
        chunks_(divide_up(grid_.tiles, larger(96, 8 * mebi / (planes * (s.in + s.out))))),
        chunk_(divide_up(grid_.tiles, chunks_)),
        x_(chunk_, s.in),
        dy_(chunk_, s.out),
        across_(divide_up(s.in, panel_columns)),
        down_(divide_up(s.out, outs)) {}

  WinogradWgradWork work() const {
    return {2 * chunks_, x_.floats() + dy_.floats(), SumsLayout({0, outs, 0, panel_columns}).floats()};
  }
  std::int64_t parts(std::int64_t phase) const {
    return phase % 2 == 0 ? divide_up(tiles(phase / 2), strip) : across_ * down_;
  }
  void run(const WinogradWgradCall& c, std::int64_t phase, std::int64_t part, float* shared, float* scratch) const {
    float *const x = shared, *const dy = shared + x_.floats();
    if (phase % 2 == 0)
      transform(c, phase / 2, part * strip, x, dy);
    else
      sum(c, phase / 2, part, x, dy, scratch);
  }

 private:
  static constexpr std::int64_t strip = 8, outs = 32;  // tiles; output channels of a block

  std::int64_t tiles(std::int64_t chunk) const { return smaller(chunk_, grid_.tiles - chunk * chunk_); }

  void transform(const WinogradWgradCall& c, std::int64_t chunk, std::int64_t row, float* x, float* dy) const {
    const std::int64_t first = chunk * chunk_ + row, count = smaller(strip, tiles(chunk) - row);
    transform_input_strip(c.forward, grid_, first, count, x_, x + x_.at(0, row));
    transform_dy_strip(c.dy, c.dy_pitch, grid_, c.forward.shape.out, first, count, dy_, dy + dy_.at(0, row));
  }

  void sum(const WinogradWgradCall& c, std::int64_t chunk, std::int64_t block, const float* x, const float* dy,
           float* sums) const {
    const WinogradShape& s = c.forward.shape;
    const std::int64_t out = block % down_ * outs, in = block / down_ * panel_columns;
    const WeightBlock weights{out, smaller(outs, s.out - out), in, smaller(panel_columns, s.in - in)};
    const Prefetch nothing{reinterpret_cast<const char*>(sums), 0};
    sum_block({x, x_}, {dy, dy_}, tiles(chunk), weights, sums, true, [&](std::int64_t) { return nothing; });
    for (std::int64_t o = 0; o < weights.outs; ++o) transform_to_weights(sums, weights, o, 1, c.dw, s.in, chunk > 0);
  }

  TileGrid grid_;
  std::int64_t chunks_, chunk_;  // tiles of one
  StripLayout x_, dy_;
  std::int64_t across_, down_;  // blocks
};

template <class F>
auto by_shape(const WinogradShape& s, F&& f) {
  const Ranges ranges(s);
  return ranges.fit() ? f(ranges) : f(Blocks(s));
}

WinogradWgradWork work(const WinogradShape& s) {
  return by_shape(s, [](const auto& way) { return way.work(); });
}
std::int64_t parts(const WinogradShape& s, std::int64_t phase) {
  return by_shape(s, [=](const auto& way) { return way.parts(phase); });
}
void run(const WinogradWgradCall& c, std::int64_t phase, std::int64_t part, float* shared, float* scratch) {
  by_shape(c.forward.shape, [&](const auto& way) { way.run(c, phase, part, shared, scratch); });
}

}  // namespace

const WinogradWgradKernels winograd_wgrad_kernels = {work, parts, run};

}  // namespace ipa::IPA_SIMD
