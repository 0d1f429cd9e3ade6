#include "kernels/tail.h"

#include "engine/on_device.h"
#include "kernels/pointwise.h"
#include "kernels/resample.h"
#include "kernels/side_by_side.h"
#include "kernels/tail_space.h"

namespace ipa {
namespace {

struct ForwardSpace {
  Scratch scratch;
  Moments shortcut_moments, branch_moments;  // the first serves r too
  NormLanes shortcut, branch, out;

  ForwardSpace(void* memory, const Shape& y)
      : scratch(memory),
        shortcut_moments(scratch, y),
        branch_moments(scratch, y),
        shortcut(scratch, Lanes(y.c)),
        branch(scratch, Lanes(y.c)),
        out(scratch, Lanes(y.c)) {}
};

struct BackwardSpace {
  Scratch scratch;
  double* sums;  // (blocks, 4, C)
  NormLanes shortcut, branch, out;
  NormGradientLanes shortcut_gradient, branch_gradient, out_gradient;
  float* dy;  // with what comes from the pooled output

  BackwardSpace(void* memory, const Shape& y, bool pooled)
      : scratch(memory),
        sums(scratch.take<double>(reduction_blocks(y.pixels(), y.c) * 4 * y.c)),
        shortcut(scratch, Lanes(y.c)),
        branch(scratch, Lanes(y.c)),
        out(scratch, Lanes(y.c)),
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

void forward(Tensor y, Tensor r, Tensor statistics, Tensor shortcut, std::span<const Tensor> branch,
             const TailNorms& norms, Activation inner, void* workspace) {
  require(y.packed() && r.packed() && shortcut.packed(), "tail: tensors must be packed");
  const std::int64_t rows = y.shape.pixels(), channels = y.shape.c;
  const Lanes l(channels);
  const SideBySide branches(branch, y.shape);
  const ForwardSpace space(workspace, y.shape);
  const float* ps = shortcut.f32();
  float *pr = r.f32(), *py = y.f32();

  parallel_blocks(rows, reduction_rows(channels), [&](std::int64_t b, std::int64_t first, std::int64_t last) {
    space.shortcut_moments.measure(b * channels, ps, channels, first, last);
    std::int64_t column = b * channels;
    for (const Tensor& p : branch) {
      space.branch_moments.measure(column, p.f32(), p.shape.c, first, last);
      column += p.shape.c;
    }
  });
  finish_moments(tail_statistics_row(statistics, 0), tail_statistics_row(statistics, 1), norms.shortcut,
                 space.shortcut_moments, rows);
  finish_moments(tail_statistics_row(statistics, 2), tail_statistics_row(statistics, 3), norms.branch,
                 space.branch_moments, rows);
  space.shortcut.fill(l, tail_statistics_row(statistics, 0), tail_statistics_row(statistics, 1), norms.shortcut);
  space.branch.fill(l, tail_statistics_row(statistics, 2), tail_statistics_row(statistics, 3), norms.branch);

  with_activation(inner, [&](auto f) {
    parallel_blocks(rows, reduction_rows(channels), [&](std::int64_t b, std::int64_t first, std::int64_t last) {
      alignas(64) float buffer[most_lanes];
      for_pieces(l, [&](std::int64_t lane, std::int64_t count) {
        for_rows(l, first, last, lane, count,
                 [&, bs = space.shortcut, bb = space.branch](std::int64_t at, std::int64_t n) {
                   const float* pb = branches.load(buffer, at, lane, n);
#pragma omp simd
                   for (std::int64_t i = 0; i < n; ++i)
                     pr[at + i] = Relu{}.value(bs(ps[at + i], lane + i) + f.value(bb(pb[i], lane + i)));
                 });
      });
      space.shortcut_moments.measure(b * channels, pr, channels, first, last);
    });
  });
  finish_moments(tail_statistics_row(statistics, 4), tail_statistics_row(statistics, 5), norms.out,
                 space.shortcut_moments, rows);
  space.out.fill(l, tail_statistics_row(statistics, 4), tail_statistics_row(statistics, 5), norms.out);
  for_lanes(rows, channels, [=, out = space.out](std::int64_t at, std::int64_t lane, std::int64_t count) {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) py[at + i] = out(pr[at + i], lane + i);
  });
}

void backward(Tensor dshortcut, std::span<const Tensor> dbranch, const TailParameterGradients& d, Tensor dy, Tensor r,
              Tensor statistics, Tensor shortcut, std::span<const Tensor> branch, const TailNorms& norms,
              Activation inner, void* workspace) {
  require(dy.packed() && r.packed() && shortcut.packed() && dshortcut.packed(), "tail: tensors must be packed");
  const std::int64_t rows = dy.shape.pixels(), channels = dy.shape.c, blocks = reduction_blocks(rows, channels);
  const Lanes l(channels);
  const SideBySide branches(branch, dy.shape), dbranches(dbranch, dy.shape);
  const BackwardSpace space(workspace, dy.shape, false);
  space.shortcut.fill(l, tail_statistics_row(statistics, 0), tail_statistics_row(statistics, 1), norms.shortcut);
  space.branch.fill(l, tail_statistics_row(statistics, 2), tail_statistics_row(statistics, 3), norms.branch);
  space.out.fill(l, tail_statistics_row(statistics, 4), tail_statistics_row(statistics, 5), norms.out);
  const float *pdy = dy.f32(), *pr = r.f32(), *ps = shortcut.f32();
  float* pds = dshortcut.f32();
  double* sums = space.sums;

  parallel_blocks(rows, reduction_rows(channels), [&](std::int64_t b, std::int64_t first, std::int64_t last) {
    block_sums<2>(sums + b * 2 * channels, l, first, last,
                  [=, out = space.out](std::int64_t at, std::int64_t lane, std::int64_t count, LaneSums<2>& s) {
#pragma omp simd
                    for (std::int64_t i = 0; i < count; ++i) {
                      s.of[0][i] += pdy[at + i];
                      s.of[1][i] += double{pdy[at + i]} * double{pr[at + i] - out.mean[lane + i]};
                    }
                  });
  });
  add_blocks(sums, blocks, 2 * channels);
  space.out_gradient.fill(l, d.dgamma_out, d.dbeta_out, sums, sums + channels, tail_statistics_row(statistics, 5),
                          rows);

  // Through bn_out and relu: the gradient of the sum of both branches.
  auto through = [out = space.out, gradient = space.out_gradient](float v, float rv, std::int64_t lane) {
    return gradient(v, rv, out, lane) * Relu{}.slope_at(rv);
  };
  with_activation(inner, [&](auto f) {
    parallel_blocks(rows, reduction_rows(channels), [&](std::int64_t b, std::int64_t first, std::int64_t last) {
      alignas(64) float buffer[most_lanes];
      block_sums<4>(sums + b * 4 * channels, l, first, last,
                    [&, through, bs = space.shortcut, bb = space.branch](std::int64_t at, std::int64_t lane,
                                                                         std::int64_t count, LaneSums<4>& s) {
                      const float* pb = branches.load(buffer, at, lane, count);
#pragma omp simd
                      for (std::int64_t i = 0; i < count; ++i) {
                        const float dz = through(pdy[at + i], pr[at + i], lane + i);
                        const float db = dz * f.slope_at(f.value(bb(pb[i], lane + i)));
                        s.of[0][i] += dz;
                        s.of[1][i] += double{dz} * double{ps[at + i] - bs.mean[lane + i]};
                        s.of[2][i] += db;
                        s.of[3][i] += double{db} * double{pb[i] - bb.mean[lane + i]};
                      }
                    });
    });
    add_blocks(sums, blocks, 4 * channels);
    space.shortcut_gradient.fill(l, d.dgamma_shortcut, d.dbeta_shortcut, sums, sums + channels,
                                 tail_statistics_row(statistics, 1), rows);
    space.branch_gradient.fill(l, d.dgamma_branch, d.dbeta_branch, sums + 2 * channels, sums + 3 * channels,
                               tail_statistics_row(statistics, 3), rows);

    for_lanes(rows, channels,
              [&, through, bs = space.shortcut, bb = space.branch, gs = space.shortcut_gradient,
               gb = space.branch_gradient](std::int64_t at, std::int64_t lane, std::int64_t count) {
                alignas(64) float in[most_lanes], out[most_lanes];
                const float* pb = branches.load(in, at, lane, count);
                float* pdb = dbranches.target(out, at);
#pragma omp simd
                for (std::int64_t i = 0; i < count; ++i) {
                  const float dz = through(pdy[at + i], pr[at + i], lane + i), b = pb[i], s = ps[at + i];
                  const float db = dz * f.slope_at(f.value(bb(b, lane + i)));
                  pds[at + i] = gs(dz, s, bs, lane + i);
                  pdb[i] = gb(db, b, bb, lane + i);
                }
                dbranches.store(out, at, lane, count);
              });
  });
}

void folded(Tensor y, Tensor shortcut, std::span<const Tensor> branch, Tensor scale_branch, Tensor scale_out,
            Tensor shift_out, Activation inner, void* workspace) {
  require(y.packed() && shortcut.packed(), "tail: tensors must be packed");
  const Lanes l(y.shape.c);
  const SideBySide branches(branch, y.shape);
  const FoldedSpace space(workspace, y.shape);
  tile(space.scale_branch, l, [&](std::int64_t c) { return scale_branch.data ? scale_branch.f32()[c] : 1.0f; });
  tile(space.scale_out, l, [k = scale_out.f32()](std::int64_t c) { return k[c]; });
  tile(space.shift_out, l, [k = shift_out.f32()](std::int64_t c) { return k[c]; });
  with_activation(inner, [&](auto f) {
    for_lanes(y.shape.pixels(), y.shape.c,
              [&, ps = shortcut.f32(), py = y.f32(), kb = space.scale_branch, k = space.scale_out,
               shift = space.shift_out](std::int64_t at, std::int64_t lane, std::int64_t count) {
                alignas(64) float buffer[most_lanes];
                const float* pb = branches.load(buffer, at, lane, count);
#pragma omp simd
                for (std::int64_t i = 0; i < count; ++i) {
                  const float sum = ps[at + i] + kb[lane + i] * f.value(pb[i]);
                  py[at + i] = k[lane + i] * Relu{}.value(sum) + shift[lane + i];
                }
              });
  });
}

}  // namespace

std::size_t tail_workspace_bytes(Device device, const Shape& y) {
  return device.is_cpu() ? ForwardSpace(nullptr, y).scratch.bytes() : CudaTailSpace(nullptr, y).scratch.bytes();
}

std::size_t tail_gradient_workspace_bytes(Device device, const Shape& y, bool pooled) {
  return device.is_cpu() ? BackwardSpace(nullptr, y, pooled).scratch.bytes()
                         : CudaTailGradientSpace(nullptr, y, pooled).scratch.bytes();
}

std::size_t tail_folded_workspace_bytes(Device device, const Shape& y) {
  return device.is_cpu() ? FoldedSpace(nullptr, y).scratch.bytes() : 0;
}

void tail_forward(Stream& stream, Tensor y, Tensor pooled, Tensor r, Tensor statistics, Tensor shortcut,
                  std::span<const Tensor> branch, const TailNorms& norms, Activation inner, void* workspace) {
  on_device(
      stream,
      [&] {
        forward(y, r, statistics, shortcut, branch, norms, inner, workspace);
        if (pooled.data) max_pool2_forward(stream, pooled, y);
      },
      [&] { cuda::tail_forward(stream, y, pooled, r, statistics, shortcut, branch, norms, inner, workspace); });
}

void tail_backward(Stream& stream, Tensor dshortcut, std::span<const Tensor> dbranch, const TailParameterGradients& d,
                   const TailOutputGradients& from, Tensor r, Tensor statistics, Tensor shortcut,
                   std::span<const Tensor> branch, const TailNorms& norms, Activation inner, void* workspace) {
  on_device(
      stream,
      [&] {
        Tensor dy = from.dy;
        if (from.dpooled.data) {
          dy.data = BackwardSpace(workspace, dy.shape, true).dy;
          max_pool2_backward(stream, dy, from.dpooled, from.y);
          add_tensors(stream, dy, dy, from.dy);
        }
        backward(dshortcut, dbranch, d, dy, r, statistics, shortcut, branch, norms, inner, workspace);
      },
      [&] {
        cuda::tail_backward(stream, dshortcut, dbranch, d, from, r, statistics, shortcut, branch, norms, inner,
                            workspace);
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
