#include "kernels/tail.h"

#include "engine/on_device.h"
#include "kernels/pointwise.h"
#include "kernels/resample.h"
#include "kernels/side_by_side.h"
#include "kernels/tail_space.h"

namespace ipa {
namespace {

// The three norms, from known statistics.
struct Norms {
  NormLanes shortcut, branch, out;

  Norms(Scratch& scratch, const Shape& y)
      : shortcut(scratch, Lanes(y.c)), branch(scratch, Lanes(y.c)), out(scratch, Lanes(y.c)) {}

  void fill_inner(const Lanes& l, const Tensor& statistics, const TailNorms& p) const {
    shortcut.fill(l, tail_statistics_row(statistics, 0), tail_statistics_row(statistics, 1), p.shortcut);
    branch.fill(l, tail_statistics_row(statistics, 2), tail_statistics_row(statistics, 3), p.branch);
  }
  void fill_out(const Lanes& l, const Tensor& statistics, const TailNorms& p) const {
    out.fill(l, tail_statistics_row(statistics, 4), tail_statistics_row(statistics, 5), p.out);
  }
};

// r of one element, the same bits in every pass.
template <class F>
struct Inside {
  NormLanes shortcut, branch;
  F inner;

  Inside(const Norms& norms, F f) : shortcut(norms.shortcut), branch(norms.branch), inner(f) {}
  float operator()(float s, float b, std::int64_t lane) const {
    return Relu{}.value(shortcut(s, lane) + inner.value(branch(b, lane)));
  }
};

struct ForwardSpace {
  Scratch scratch;
  Moments shortcut_moments, branch_moments;  // the first serves r too
  Norms norms;

  ForwardSpace(void* memory, const Shape& y)
      : scratch(memory), shortcut_moments(scratch, y), branch_moments(scratch, y), norms(scratch, y) {}
};

struct RecomputeSpace {
  Scratch scratch;
  Norms norms;

  RecomputeSpace(void* memory, const Shape& y) : scratch(memory), norms(scratch, y) {}
};

struct BackwardSpace {
  Scratch scratch;
  double* sums;  // (blocks, 4, C)
  Norms norms;
  NormGradientLanes shortcut_gradient, branch_gradient, out_gradient;
  float* dy;  // with what comes from the pooled output

  BackwardSpace(void* memory, const Shape& y, bool pooled)
      : scratch(memory),
        sums(scratch.take<double>(reduction_blocks(y.pixels(), y.c) * 4 * y.c)),
        norms(scratch, y),
        shortcut_gradient(scratch, Lanes(y.c)),
        branch_gradient(scratch, Lanes(y.c)),
        out_gradient(scratch, Lanes(y.c)),
        dy(scratch.take<float>(pooled ? y.elements() : 0)) {}
};

struct FoldedSpace {
  Scratch scratch;
  float *scale_branch, *scale_out, *shift_out;

  FoldedSpace(void* memory, const Shape& y) : scratch(memory) {
    for (float** lanes : {&scale_branch, &scale_out, &shift_out}) *lanes = scratch.take<float>(Lanes(y.c).width());
  }
};

void forward(Tensor y, Tensor statistics, Tensor shortcut, std::span<const Tensor> branch, const TailNorms& norms,
             const TailSums& sums, Activation inner, void* workspace) {
  require(shortcut.packed(), "tail: tensors must be packed");
  const std::int64_t rows = y.shape.pixels(), channels = y.shape.c;
  const Lanes l(channels);
  const SideBySide branches(branch, y.shape), made_y({&y, 1}, y.shape);
  const ForwardSpace space(workspace, y.shape);
  const float* ps = shortcut.f32();

  const bool measure_shortcut = !sums.shortcut.data, measure_branch = !sums.branch.data;
  if (measure_shortcut || measure_branch)
    parallel_blocks(rows, reduction_rows(channels), [&](std::int64_t b, std::int64_t first, std::int64_t last) {
      if (measure_shortcut) space.shortcut_moments.measure(b * channels, ps, channels, first, last);
      if (!measure_branch) return;
      std::int64_t column = b * channels;
      for (const Tensor& p : branch) {
        space.branch_moments.measure(column, p.f32(), p.shape.c, first, last);
        column += p.shape.c;
      }
    });
  auto finish = [&](std::int64_t row, const NormParameters& norm, const Tensor& known, const Moments& moments) {
    const Tensor mean = tail_statistics_row(statistics, row), invstd = tail_statistics_row(statistics, row + 1);
    known.data ? finish_known_sums(mean, invstd, norm, known, moments.mean, moments.m2, rows)
               : finish_moments(mean, invstd, norm, moments, rows);
  };
  finish(0, norms.shortcut, sums.shortcut, space.shortcut_moments);
  finish(2, norms.branch, sums.branch, space.branch_moments);
  space.norms.fill_inner(l, statistics, norms);

  with_activation(inner, [&](auto f) {
    parallel_blocks(rows, reduction_rows(channels), [&](std::int64_t b, std::int64_t first, std::int64_t last) {
      alignas(64) float buffer[most_lanes], made[most_lanes];
      for_pieces(l, [&](std::int64_t lane, std::int64_t count) {
        for_rows(l, first, last, lane, count, [&, inside = Inside(space.norms, f)](std::int64_t at, std::int64_t n) {
          const float* pb = branches.load(buffer, at, lane, n);
          float* pr = made_y.target(made, at, lane, n);
#pragma omp simd
          for (std::int64_t i = 0; i < n; ++i) pr[i] = inside(ps[at + i], pb[i], lane + i);
          made_y.store(made, at, lane, n);
        });
      });
      space.shortcut_moments.measure(b * channels, made_y, channels, first, last);
    });
  });
  finish_moments(tail_statistics_row(statistics, 4), tail_statistics_row(statistics, 5), norms.out,
                 space.shortcut_moments, rows);
  space.norms.fill_out(l, statistics, norms);
  for_lanes(rows, channels, [&, out = space.norms.out](std::int64_t at, std::int64_t lane, std::int64_t count) {
    alignas(64) float buffer[most_lanes];
    const float* pr = made_y.load(buffer, at, lane, count);
    float* py = made_y.target(buffer, at, lane, count);
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) py[i] = out(pr[i], lane + i);
    made_y.store(buffer, at, lane, count);
  });
}

void recompute(Tensor y, Tensor statistics, Tensor shortcut, std::span<const Tensor> branch, const TailNorms& norms,
               Activation inner, void* workspace) {
  require(y.packed() && shortcut.packed(), "tail: tensors must be packed");
  const Lanes l(y.shape.c);
  const SideBySide branches(branch, y.shape);
  const RecomputeSpace space(workspace, y.shape);
  space.norms.fill_inner(l, statistics, norms);
  space.norms.fill_out(l, statistics, norms);
  with_activation(inner, [&](auto f) {
    for_lanes(y.shape.pixels(), y.shape.c,
              [&, ps = shortcut.f32(), py = y.f32(), inside = Inside(space.norms, f), out = space.norms.out](
                  std::int64_t at, std::int64_t lane, std::int64_t count) {
                alignas(64) float buffer[most_lanes];
                const float* pb = branches.load(buffer, at, lane, count);
#pragma omp simd
                for (std::int64_t i = 0; i < count; ++i)
                  py[at + i] = out(inside(ps[at + i], pb[i], lane + i), lane + i);
              });
  });
}

void backward(Tensor dshortcut, std::span<const Tensor> dbranch, const TailParameterGradients& d, Tensor dy,
              Tensor statistics, Tensor shortcut, std::span<const Tensor> branch, const TailNorms& norms,
              Activation inner, void* workspace) {
  require(shortcut.packed() && dshortcut.packed(), "tail: tensors must be packed");
  const std::int64_t rows = dy.shape.pixels(), channels = dy.shape.c, blocks = reduction_blocks(rows, channels);
  const Lanes l(channels);
  const SideBySide branches(branch, dy.shape), dbranches(dbranch, dy.shape), given_dy({&dy, 1}, dy.shape);
  const BackwardSpace space(workspace, dy.shape, false);
  space.norms.fill_inner(l, statistics, norms);
  space.norms.fill_out(l, statistics, norms);
  const float* ps = shortcut.f32();
  float* pds = dshortcut.f32();
  double* sums = space.sums;

  with_activation(inner, [&](auto f) {
    const Inside inside(space.norms, f);
    parallel_blocks(rows, reduction_rows(channels), [&](std::int64_t b, std::int64_t first, std::int64_t last) {
      alignas(64) float buffer[most_lanes], given[most_lanes];
      block_sums<2>(
          sums + b * 2 * channels, l, first, last,
          [&, inside, out = space.norms.out](std::int64_t at, std::int64_t lane, std::int64_t count, LaneSums<2>& s) {
            const float *pb = branches.load(buffer, at, lane, count), *pdy = given_dy.load(given, at, lane, count);
#pragma omp simd
            for (std::int64_t i = 0; i < count; ++i) {
              const float r = inside(ps[at + i], pb[i], lane + i);
              s.of[0][i] += pdy[i];
              s.of[1][i] += double{pdy[i]} * double{r - out.mean[lane + i]};
            }
          });
    });
    add_blocks(sums, blocks, 2 * channels);
    space.out_gradient.fill(l, d.dgamma_out, d.dbeta_out, sums, sums + channels, tail_statistics_row(statistics, 5),
                            rows);

    // Through bn_out and relu: the gradient of the sum of both branches.
    auto through = [out = space.norms.out, gradient = space.out_gradient](float v, float r, std::int64_t lane) {
      return gradient(v, r, out, lane) * Relu{}.slope_at(r);
    };
    parallel_blocks(rows, reduction_rows(channels), [&](std::int64_t b, std::int64_t first, std::int64_t last) {
      alignas(64) float buffer[most_lanes], given[most_lanes];
      block_sums<4>(sums + b * 4 * channels, l, first, last,
                    [&, inside, through](std::int64_t at, std::int64_t lane, std::int64_t count, LaneSums<4>& s) {
                      const float *pb = branches.load(buffer, at, lane, count),
                                  *pdy = given_dy.load(given, at, lane, count);
#pragma omp simd
                      for (std::int64_t i = 0; i < count; ++i) {
                        const float v = ps[at + i], w = pb[i];
                        const float dz = through(pdy[i], inside(v, w, lane + i), lane + i);
                        const float db = dz * f.slope_at(f.value(inside.branch(w, lane + i)));
                        s.of[0][i] += dz;
                        s.of[1][i] += double{dz} * double{v - inside.shortcut.mean[lane + i]};
                        s.of[2][i] += db;
                        s.of[3][i] += double{db} * double{w - inside.branch.mean[lane + i]};
                      }
                    });
    });
    add_blocks(sums, blocks, 4 * channels);
    space.shortcut_gradient.fill(l, d.dgamma_shortcut, d.dbeta_shortcut, sums, sums + channels,
                                 tail_statistics_row(statistics, 1), rows);
    space.branch_gradient.fill(l, d.dgamma_branch, d.dbeta_branch, sums + 2 * channels, sums + 3 * channels,
                               tail_statistics_row(statistics, 3), rows);

    for_lanes(rows, channels,
              [&, inside, through, of_shortcut = space.shortcut_gradient, of_branch = space.branch_gradient](
                  std::int64_t at, std::int64_t lane, std::int64_t count) {
                alignas(64) float in[most_lanes], out[most_lanes], given[most_lanes];
                const float *pb = branches.load(in, at, lane, count), *pdy = given_dy.load(given, at, lane, count);
                float* pdb = dbranches.target(out, at, lane, count);
#pragma omp simd
                for (std::int64_t i = 0; i < count; ++i) {
                  const float v = ps[at + i], w = pb[i];
                  const float dz = through(pdy[i], inside(v, w, lane + i), lane + i);
                  const float db = dz * f.slope_at(f.value(inside.branch(w, lane + i)));
                  pds[at + i] = of_shortcut(dz, v, inside.shortcut, lane + i);
                  pdb[i] = of_branch(db, w, inside.branch, lane + i);
                }
                dbranches.store(out, at, lane, count);
              });
  });
}

void folded(Tensor y, Tensor shortcut, std::span<const Tensor> branch, Tensor scale_branch, Tensor scale_out,
            Tensor shift_out, Activation inner, void* workspace) {
  require(shortcut.packed(), "tail: tensors must be packed");
  const Lanes l(y.shape.c);
  const SideBySide branches(branch, y.shape), made_y({&y, 1}, y.shape);
  const FoldedSpace space(workspace, y.shape);
  tile(space.scale_branch, l, [&](std::int64_t c) { return scale_branch.data ? scale_branch.f32()[c] : 1.0f; });
  tile(space.scale_out, l, [k = scale_out.f32()](std::int64_t c) { return k[c]; });
  tile(space.shift_out, l, [k = shift_out.f32()](std::int64_t c) { return k[c]; });
  with_activation(inner, [&](auto f) {
    for_lanes(y.shape.pixels(), y.shape.c,
              [&, ps = shortcut.f32(), kb = space.scale_branch, k = space.scale_out, shift = space.shift_out](
                  std::int64_t at, std::int64_t lane, std::int64_t count) {
                alignas(64) float buffer[most_lanes], made[most_lanes];
                const float* pb = branches.load(buffer, at, lane, count);
                float* py = made_y.target(made, at, lane, count);
#pragma omp simd
                for (std::int64_t i = 0; i < count; ++i) {
                  const float sum = ps[at + i] + kb[lane + i] * f.value(pb[i]);
                  py[i] = k[lane + i] * Relu{}.value(sum) + shift[lane + i];
                }
                made_y.store(made, at, lane, count);
              });
  });
}

}  // namespace

std::size_t tail_workspace_bytes(Device device, const Shape& y) {
  return device.is_cpu() ? ForwardSpace(nullptr, y).scratch.bytes() : CudaTailSpace(nullptr, y).scratch.bytes();
}

std::size_t tail_recompute_workspace_bytes(Device device, const Shape& y) {
  return device.is_cpu() ? RecomputeSpace(nullptr, y).scratch.bytes() : 0;
}

std::size_t tail_gradient_workspace_bytes(Device device, const Shape& y, bool pooled) {
  return device.is_cpu() ? BackwardSpace(nullptr, y, pooled).scratch.bytes()
                         : CudaTailGradientSpace(nullptr, y, pooled).scratch.bytes();
}

std::size_t tail_folded_workspace_bytes(Device device, const Shape& y) {
  return device.is_cpu() ? FoldedSpace(nullptr, y).scratch.bytes() : 0;
}

void tail_forward(Stream& stream, Tensor y, Tensor pooled, Tensor statistics, Tensor shortcut,
                  std::span<const Tensor> branch, const TailNorms& norms, const TailSums& sums, Activation inner,
                  void* workspace) {
  on_device(
      stream,
      [&] {
        forward(y, statistics, shortcut, branch, norms, sums, inner, workspace);
        if (pooled.data) max_pool2_forward(stream, pooled, y);
      },
      [&] { cuda::tail_forward(stream, y, pooled, statistics, shortcut, branch, norms, sums, inner, workspace); });
}

void tail_recompute(Stream& stream, Tensor y, Tensor statistics, Tensor shortcut, std::span<const Tensor> branch,
                    const TailNorms& norms, Activation inner, void* workspace) {
  on_device(
      stream, [&] { recompute(y, statistics, shortcut, branch, norms, inner, workspace); },
      [&] { cuda::tail_recompute(stream, y, statistics, shortcut, branch, norms, inner, workspace); });
}

void tail_backward(Stream& stream, Tensor dshortcut, std::span<const Tensor> dbranch, const TailParameterGradients& d,
                   const TailOutputGradients& from, Tensor statistics, Tensor shortcut, std::span<const Tensor> branch,
                   const TailNorms& norms, Activation inner, void* workspace) {
  on_device(
      stream,
      [&] {
        Tensor dy = from.dy;
        if (from.dpooled.data) {
          dy.data = BackwardSpace(workspace, dy.shape, true).dy;
          max_pool2_backward(stream, dy, from.dpooled, from.y);
          add_tensors(stream, dy, dy, from.dy);
        }
        backward(dshortcut, dbranch, d, dy, statistics, shortcut, branch, norms, inner, workspace);
      },
      [&] {
        cuda::tail_backward(stream, dshortcut, dbranch, d, from, statistics, shortcut, branch, norms, inner, workspace);
      });
}

void tail_folded(Stream& stream, Tensor y, Tensor pooled, Tensor shortcut, std::span<const Tensor> branch,
                 Tensor scale_branch, Tensor scale_out, Tensor shift_out, Activation inner, void* workspace) {
  on_device(
      stream,
      [&] {
        folded(y, shortcut, branch, scale_branch, scale_out, shift_out, inner, workspace);
        if (pooled.data) max_pool2_forward(stream, pooled, y);
      },
      [&] {
        cuda::tail_folded(stream, y, pooled, shortcut, branch, scale_branch, scale_out, shift_out, inner, workspace);
      });
}

}  // namespace ipa
