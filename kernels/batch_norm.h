// Batch normalisation over batch, height and width (Ioffe, Szegedy 2015), with a fused activation; packed fp32.
#pragma once

#include "engine/stream.h"
#include "kernels/channel_stats.h"
#include "kernels/math.h"

namespace ipa {

std::size_t batch_norm_workspace_bytes(const Shape& x);
std::size_t batch_norm_gradient_workspace_bytes(const Shape& x);
std::size_t affine_workspace_bytes(const Shape& x);

// Training: y = a(gamma (x - mean) invstd + beta). Writes the batch's mean and invstd (1, 1, 1, C), moves the running
// statistics. Reads x twice, writes y, which may be x.
void batch_norm_forward(Stream& stream, Tensor y, Tensor mean, Tensor invstd, Tensor x, const NormParameters& p,
                        Activation a, void* workspace);

// The activation's slope is recomputed from x. Reads dy and x twice, writes dx, which may be dy or x. dgamma is written
// even where gamma is absent.
void batch_norm_backward(Stream& stream, Tensor dx, Tensor dgamma, Tensor dbeta, Tensor dy, Tensor x, Tensor mean,
                         Tensor invstd, const NormParameters& p, Activation a, void* workspace);

// y = a(scale[c] x + shift[c]); y may be x.
void affine_forward(Stream& stream, Tensor y, Tensor x, Tensor scale, Tensor shift, Activation a, void* workspace);

}  // namespace ipa
