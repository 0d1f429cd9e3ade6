// The ends of MultiRes blocks and ResPath units (docs/numerics.md) in the fewest passes over the data.
//
//   r = relu(bn_shortcut(shortcut) + inner(bn_branch(branch))),   y = bn_out(r),   pooled = max_pool2(y) if wanted
//
// where `branch` is one tensor or several side by side along the channels (then they are never written as one).
//
// y and dy may lie among the channels of wider tensors (pitch > channels) where `branch` is one tensor, but not the y
// that tail_recompute makes.
//
// r is never kept: it costs less to make it anew from shortcut and branch, which whoever reads r reads anyway.
//
// Bound by memory: 7 tensors of traffic forward (pooled: 7.25), 3 to recompute, 11 backward (pooled: 11.75), 3 folded;
// about 25, 10, 60 and 5 operations an element. Floor on an H200 (4.3 TB/s) for 16 x 256 x 256 x 51 in bf16 (117 MB
// with padding): 0.19, 0.08, 0.30 and 0.08 ms. Five launches forward and backward (sums, their end, sums, their end,
// map), one else; forward a tensor of traffic less for each of shortcut and branch whose sums are known, and one launch
// where both are. Each pass takes the pixels in the other direction than the one before, which left the last of them in
// the L2 cache.
#pragma once

#include <span>

#include "engine/stream.h"
#include "kernels/channel_stats.h"
#include "kernels/math.h"

namespace ipa {

struct TailNorms {
  NormParameters shortcut, branch, out;
};

// The sums of shortcut's and branch's pixels, (1, 1, 2, C) f32 as channel_sums.h makes them, where they are known; each
// may be absent (no data).
struct TailSums {
  Tensor shortcut, branch;
};

// Rows of `statistics` (1, 1, 6, C): mean and invstd of shortcut, branch and r.
constexpr Shape tail_statistics_shape(std::int64_t channels) { return {1, 1, 6, channels}; }

std::size_t tail_workspace_bytes(Device device, const Shape& y);
std::size_t tail_recompute_workspace_bytes(Device device, const Shape& y);
std::size_t tail_gradient_workspace_bytes(Device device, const Shape& y, bool pooled);
std::size_t tail_folded_workspace_bytes(Device device, const Shape& y);

// Training. Pass 1 reads what of shortcut and branch has no known sums: their statistics. Pass 2 reads both, writes r
// to y's memory and takes its statistics while it lies in the cache. Pass 3 makes y of it, and max_pool2(y)
// (kernels/resample.h) where `pooled` is not absent (no data). Moves all running statistics.
void tail_forward(Stream& stream, Tensor y, Tensor pooled, Tensor statistics, Tensor shortcut,
                  std::span<const Tensor> branch, const TailNorms& norms, const TailSums& sums, Activation inner,
                  void* workspace);

// The same y, bit by bit, from the statistics that tail_forward left. One pass; moves nothing.
void tail_recompute(Stream& stream, Tensor y, Tensor statistics, Tensor shortcut, std::span<const Tensor> branch,
                    const TailNorms& norms, Activation inner, void* workspace);

// Gradients of the parameters of the three norms, vectors; dgamma is written even where gamma is absent.
struct TailParameterGradients {
  Tensor dgamma_shortcut, dbeta_shortcut, dgamma_branch, dbeta_branch, dgamma_out, dbeta_out;
};

// What the gradient comes from: dy, and dpooled with y, both absent if nothing was pooled.
struct TailOutputGradients {
  Tensor dy, dpooled, y;
};

// All three passes read dy, shortcut and branch. Pass 1: the sums of bn_out's gradient. Pass 2: the sums of the inner
// norms' gradients. Pass 3 writes dshortcut and dbranch. Eleven tensors of traffic; storing the gradient of relu's
// input between passes 2 and 3 would make twelve. dshortcut and dbranch may be dy or the tensor whose gradient they
// are. dpooled reaches y as max_pool2_backward says: on CUDA each pass adds it to dy as it reads that, and takes from
// the first, which makes y anew, which pixel of a window it goes to (two bits each).
void tail_backward(Stream& stream, Tensor dshortcut, std::span<const Tensor> dbranch, const TailParameterGradients& d,
                   const TailOutputGradients& from, Tensor statistics, Tensor shortcut, std::span<const Tensor> branch,
                   const TailNorms& norms, Activation inner, void* workspace);

// Inference, the inner norms folded into the convolutions: y = scale_out relu(shortcut + scale_branch inner(branch)) +
// shift_out; scale_branch may be absent (no data): 1. One pass; y may be shortcut. `pooled` as above.
void tail_folded(Stream& stream, Tensor y, Tensor pooled, Tensor shortcut, std::span<const Tensor> branch,
                 Tensor scale_branch, Tensor scale_out, Tensor shift_out, Activation inner, void* workspace);

namespace cuda {  // tail.cu
decltype(ipa::tail_forward) tail_forward;
decltype(ipa::tail_recompute) tail_recompute;
decltype(ipa::tail_backward) tail_backward;
decltype(ipa::tail_folded) tail_folded;
}  // namespace cuda

}  // namespace ipa
