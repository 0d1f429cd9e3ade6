// The ends of MultiRes blocks and ResPath units (docs/numerics.md) in the fewest passes over the data; packed fp32.
//
//   r = relu(bn_shortcut(shortcut) + inner(bn_branch(branch))),   y = bn_out(r)
//
// where `branch` is one tensor or several side by side along the channels (then they are never written as one).
#pragma once

#include <span>

#include "engine/stream.h"
#include "kernels/channel_stats.h"
#include "kernels/math.h"

namespace ipa {

struct TailNorms {
  NormParameters shortcut, branch, out;
};

// Rows of `statistics` (1, 1, 6, C): mean and invstd of shortcut, branch and r.
constexpr Shape tail_statistics_shape(std::int64_t channels) { return {1, 1, 6, channels}; }

std::size_t tail_workspace_bytes(const Shape& y);
std::size_t tail_gradient_workspace_bytes(const Shape& y);
std::size_t tail_folded_workspace_bytes(const Shape& y);

// Training. Pass 1 reads shortcut and branch: their statistics. Pass 2 reads both, writes r and takes its statistics
// while it lies in the cache. Pass 3 reads r, writes y. Seven tensors of traffic. Moves all running statistics.
void tail_forward(Stream& stream, Tensor y, Tensor r, Tensor statistics, Tensor shortcut,
                  std::span<const Tensor> branch, const TailNorms& norms, Activation inner, void* workspace);

// Gradients of the parameters of the three norms, vectors; dgamma is written even where gamma is absent.
struct TailParameterGradients {
  Tensor dgamma_shortcut, dbeta_shortcut, dgamma_branch, dbeta_branch, dgamma_out, dbeta_out;
};

// Pass 1 reads dy and r: the sums of bn_out's gradient. Pass 2 reads dy, r, shortcut and branch: the sums of the inner
// norms' gradients. Pass 3 reads the same again, writes dshortcut and dbranch. Twelve tensors of traffic; storing the
// gradient of relu's input between passes 2 and 3 would make thirteen. dshortcut and dbranch may be dy, r, or the
// tensor whose gradient they are.
void tail_backward(Stream& stream, Tensor dshortcut, std::span<const Tensor> dbranch, const TailParameterGradients& d,
                   Tensor dy, Tensor r, Tensor statistics, Tensor shortcut, std::span<const Tensor> branch,
                   const TailNorms& norms, Activation inner, void* workspace);

// Inference, the inner norms folded into the convolutions: y = scale_out relu(shortcut + scale_branch inner(branch)) +
// shift_out; scale_branch may be absent (no data): 1. One pass; y may be shortcut.
void tail_folded(Stream& stream, Tensor y, Tensor shortcut, std::span<const Tensor> branch, Tensor scale_branch,
                 Tensor scale_out, Tensor shift_out, Activation inner, void* workspace);

}  // namespace ipa
