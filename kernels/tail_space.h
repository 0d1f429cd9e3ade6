// What both backends' host code of the tails shares; the workspaces on CUDA, for planning and for launching.
#pragma once

#include "kernels/channel_grid.h"
#include "kernels/scratch.h"

namespace ipa {

inline Tensor tail_statistics_row(const Tensor& statistics, std::int64_t k) {
  return {statistics.f32() + k * statistics.pitch, {vector_shape(statistics.shape.c)}, statistics.device};
}

// What a thread takes as one: a pixel, or the window of a 2x2 pooling.
constexpr Shape tail_items(const Shape& y, bool pooled) { return pooled ? Shape{y.n, y.h / 2, y.w / 2, y.c} : y; }

struct CudaTailSpace {
  Scratch scratch;
  ChannelGrid sums;
  double *parts, *shortcut, *branch, *out;  // the last three are ChannelStatistics' memory

  CudaTailSpace(void* memory, const Shape& y)
      : scratch(memory),
        sums(ChannelGrid::for_sums(y)),
        parts(scratch.take<double>(sums.partial_sums(4))),
        shortcut(scratch.take<double>(2 * y.c)),
        branch(scratch.take<double>(2 * y.c)),
        out(scratch.take<double>(2 * y.c)) {}
};

struct CudaTailGradientSpace {
  Scratch scratch;
  ChannelGrid out_sums, inner_sums;
  double* parts;
  float *shortcut, *branch, *out;  // coefficients of the gradients of the norms, (3, pitch) each
  std::uint16_t* winners;  // (windows, groups): two bits for each of eight channels, the pixel that was the maximum

  CudaTailGradientSpace(void* memory, const Shape& y, bool pooled)
      : scratch(memory),
        out_sums(ChannelGrid::for_sums(tail_items(y, pooled))),
        inner_sums(ChannelGrid::for_sums(tail_items(y, pooled))),
        parts(scratch.take<double>(std::max(out_sums.partial_sums(2), inner_sums.partial_sums(4)))),
        shortcut(scratch.take<float>(3 * out_sums.pitch())),
        branch(scratch.take<float>(3 * out_sums.pitch())),
        out(scratch.take<float>(3 * out_sums.pitch())),
        winners(scratch.take<std::uint16_t>(pooled ? inner_sums.pixels * inner_sums.groups : 0)) {}
};

}  // namespace ipa
