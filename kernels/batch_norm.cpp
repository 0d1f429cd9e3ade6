#include "kernels/batch_norm.h"

#include "engine/on_device.h"
#include "kernels/channel_grid.h"
#include "kernels/channel_sums.h"

namespace ipa {
namespace {

struct ForwardSpace {
  Scratch scratch;
  Moments moments;
  NormLanes norm;

  ForwardSpace(void* memory, const Shape& x) : scratch(memory), moments(scratch, x), norm(scratch, Lanes(x.c)) {}
};

struct RecomputeSpace {
  Scratch scratch;
  NormLanes norm;

  RecomputeSpace(void* memory, const Shape& x) : scratch(memory), norm(scratch, Lanes(x.c)) {}
};

struct BackwardSpace {
  Scratch scratch;
  double* sums;  // (blocks, 2, C)
  NormLanes norm;
  NormGradientLanes gradient;

  BackwardSpace(void* memory, const Shape& x)
      : scratch(memory),
        sums(scratch.take<double>(reduction_blocks(x.pixels(), x.c) * 2 * x.c)),
        norm(scratch, Lanes(x.c)),
        gradient(scratch, Lanes(x.c)) {}
};

struct AffineSpace {
  Scratch scratch;
  float *scale, *shift;

  AffineSpace(void* memory, const Shape& x)
      : scratch(memory),
        scale(scratch.take<float>(Lanes(x.c).width())),
        shift(scratch.take<float>(Lanes(x.c).width())) {}
};

// y = a(norm(x)), the pass that the forward pass ends with.
void normalise(const Tensor& y, const Tensor& x, const NormLanes& norm, Activation a) {
  with_activation(a, [&](auto f) {
    for_lanes(x.shape.pixels(), x.shape.c,
              [=, px = x.f32(), py = y.f32()](std::int64_t at, std::int64_t lane, std::int64_t count) {
#pragma omp simd
                for (std::int64_t i = 0; i < count; ++i) py[at + i] = f.value(norm(px[at + i], lane + i));
              });
  });
}

void batch_norm_forward_cpu(Tensor y, Tensor mean, Tensor invstd, Tensor x, const NormParameters& p, Activation a,
                            void* workspace) {
  require(x.packed() && y.packed(), "batch_norm: tensors must be packed");
  const std::int64_t rows = x.shape.pixels(), channels = x.shape.c;
  const Lanes l(channels);
  const ForwardSpace space(workspace, x.shape);
  parallel_blocks(rows, reduction_rows(channels), [&](std::int64_t b, std::int64_t first, std::int64_t last) {
    space.moments.measure(b * channels, x.f32(), channels, first, last);
  });
  finish_moments(mean, invstd, p, space.moments, rows);
  space.norm.fill(l, mean, invstd, p);
  normalise(y, x, space.norm, a);
}

void batch_norm_statistics_cpu(Tensor mean, Tensor invstd, Tensor sums, std::int64_t pixels, const NormParameters& p,
                               void* workspace) {
  auto* const m = static_cast<double*>(workspace);
  finish_known_sums(mean, invstd, p, sums, m, m + mean.shape.c, pixels);
}

void batch_norm_recompute_cpu(Tensor y, Tensor x, Tensor mean, Tensor invstd, const NormParameters& p, Activation a,
                              void* workspace) {
  require(x.packed() && y.packed(), "batch_norm: tensors must be packed");
  const RecomputeSpace space(workspace, x.shape);
  space.norm.fill(Lanes(x.shape.c), mean, invstd, p);
  normalise(y, x, space.norm, a);
}

void batch_norm_backward_cpu(Tensor dx, Tensor dgamma, Tensor dbeta, Tensor dy, Tensor x, Tensor mean, Tensor invstd,
                             const NormParameters& p, Activation a, void* workspace) {
  require(x.packed() && dx.packed() && dy.packed(), "batch_norm gradient: tensors must be packed");
  const std::int64_t rows = x.shape.pixels(), channels = x.shape.c;
  const Lanes l(channels);
  const BackwardSpace space(workspace, x.shape);
  space.norm.fill(l, mean, invstd, p);
  const float *px = x.f32(), *pdy = dy.f32();
  float* pdx = dx.f32();
  with_activation(a, [&](auto f) {
    // What reaches the normalisation through the activation.
    auto through = [f](float d, float pre) { return d * f.slope_at(f.value(pre)); };
    parallel_blocks(rows, reduction_rows(channels), [&](std::int64_t b, std::int64_t first, std::int64_t last) {
      block_sums<2>(space.sums + b * 2 * channels, l, first, last,
                    [=, norm = space.norm](std::int64_t at, std::int64_t lane, std::int64_t count, LaneSums<2>& s) {
#pragma omp simd
                      for (std::int64_t i = 0; i < count; ++i) {
                        const float v = px[at + i], d = through(pdy[at + i], norm(v, lane + i));
                        s.of[0][i] += d;
                        s.of[1][i] += double{d} * double{v - norm.mean[lane + i]};
                      }
                    });
    });
    add_blocks(space.sums, reduction_blocks(rows, channels), 2 * channels);
    space.gradient.fill(l, dgamma, dbeta, space.sums, space.sums + channels, invstd, rows);
    for_lanes(
        rows, channels,
        [=, norm = space.norm, gradient = space.gradient](std::int64_t at, std::int64_t lane, std::int64_t count) {
#pragma omp simd
          for (std::int64_t i = 0; i < count; ++i) {
            const float v = px[at + i], d = through(pdy[at + i], norm(v, lane + i));
            pdx[at + i] = gradient(d, v, norm, lane + i);
          }
        });
  });
}

void affine_forward_cpu(Tensor y, Tensor x, Tensor scale, Tensor shift, Activation a, void* workspace) {
  require(x.packed() && y.packed(), "affine: tensors must be packed");
  const Lanes l(x.shape.c);
  const AffineSpace space(workspace, x.shape);
  tile(space.scale, l, [k = scale.f32()](std::int64_t c) { return k[c]; });
  tile(space.shift, l, [b = shift.f32()](std::int64_t c) { return b[c]; });
  with_activation(a, [&](auto f) {
    for_lanes(x.shape.pixels(), x.shape.c,
              [=, px = x.f32(), py = y.f32(), k = space.scale, b = space.shift](std::int64_t at, std::int64_t lane,
                                                                                std::int64_t count) {
#pragma omp simd
                for (std::int64_t i = 0; i < count; ++i) py[at + i] = f.value(px[at + i] * k[lane + i] + b[lane + i]);
              });
  });
}

}  // namespace

std::size_t batch_norm_workspace_bytes(Device device, const Shape& x) {
  if (device.is_cpu()) return ForwardSpace(nullptr, x).scratch.bytes();
  return static_cast<std::size_t>(ChannelGrid::for_sums(x).partial_sums(2) + 2 * x.c) * sizeof(double);
}
std::size_t batch_norm_recompute_workspace_bytes(Device device, const Shape& x) {
  return device.is_cpu() ? RecomputeSpace(nullptr, x).scratch.bytes() : 0;
}
std::size_t batch_norm_gradient_workspace_bytes(Device device, const Shape& x) {
  if (device.is_cpu()) return BackwardSpace(nullptr, x).scratch.bytes();
  return static_cast<std::size_t>(ChannelGrid::for_sums(x).partial_sums(2)) * sizeof(double);
}
std::size_t affine_workspace_bytes(Device device, const Shape& x) {
  return device.is_cpu() ? AffineSpace(nullptr, x).scratch.bytes() : 0;
}

void batch_norm_forward(Stream& stream, Tensor y, Tensor mean, Tensor invstd, Tensor x, const NormParameters& p,
                        Activation a, void* workspace) {
  on_device(
      stream, [&] { batch_norm_forward_cpu(y, mean, invstd, x, p, a, workspace); },
      [&] { cuda::batch_norm_forward(stream, y, mean, invstd, x, p, a, workspace); });
}

std::size_t batch_norm_statistics_workspace_bytes(std::int64_t channels) {
  return static_cast<std::size_t>(2 * channels) * sizeof(double);
}

void batch_norm_statistics(Stream& stream, Tensor mean, Tensor invstd, Tensor sums, std::int64_t pixels,
                           const NormParameters& p, void* workspace) {
  on_device(
      stream, [&] { batch_norm_statistics_cpu(mean, invstd, sums, pixels, p, workspace); },
      [&] { cuda::batch_norm_statistics(stream, mean, invstd, sums, pixels, p, workspace); });
}

void batch_norm_recompute(Stream& stream, Tensor y, Tensor x, Tensor mean, Tensor invstd, const NormParameters& p,
                          Activation a, void* workspace) {
  on_device(
      stream, [&] { batch_norm_recompute_cpu(y, x, mean, invstd, p, a, workspace); },
      [&] { cuda::batch_norm_recompute(stream, y, x, mean, invstd, p, a, workspace); });
}

void batch_norm_backward(Stream& stream, Tensor dx, Tensor dgamma, Tensor dbeta, Tensor dy, Tensor x, Tensor mean,
                         Tensor invstd, const NormParameters& p, Activation a, void* workspace) {
  on_device(
      stream, [&] { batch_norm_backward_cpu(dx, dgamma, dbeta, dy, x, mean, invstd, p, a, workspace); },
      [&] { cuda::batch_norm_backward(stream, dx, dgamma, dbeta, dy, x, mean, invstd, p, a, workspace); });
}

void affine_forward(Stream& stream, Tensor y, Tensor x, Tensor scale, Tensor shift, Activation a, void* workspace) {
  on_device(
      stream, [&] { affine_forward_cpu(y, x, scale, shift, a, workspace); },
      [&] { cuda::affine_forward(stream, y, x, scale, shift, a, workspace); });
}

}  // namespace ipa
