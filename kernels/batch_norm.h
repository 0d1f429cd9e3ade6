// Batch normalisation over batch, height and width (Ioffe, Szegedy 2015), with a fused activation.
//
// Bound by memory: three tensors of traffic forward, two to recompute, five backward, two for affine; about 8, 4, 16
// and 3 operations an element. Floor on an H200 (4.3 TB/s) for 16 x 256 x 256 x 51 in bf16 (117 MB with padding): 0.08
// ms forward, 0.055 ms to recompute, 0.14 ms backward, 0.055 ms affine. Three launches each way (sums, their end, the
// map), one else. The map takes the pixels from the end, so that what the sums read last comes out of the L2 cache (50
// MB): up to 0.01 ms less.
#pragma once

#include "engine/stream.h"
#include "kernels/channel_stats.h"
#include "kernels/math.h"

namespace ipa {

std::size_t batch_norm_workspace_bytes(Device device, const Shape& x);
std::size_t batch_norm_recompute_workspace_bytes(Device device, const Shape& x);
std::size_t batch_norm_gradient_workspace_bytes(Device device, const Shape& x);
std::size_t affine_workspace_bytes(Device device, const Shape& x);

// Training: y = a(gamma (x - mean) invstd + beta). Writes the batch's mean and invstd (1, 1, 1, C), moves the running
// statistics. Reads x twice, writes y, which may be x.
void batch_norm_forward(Stream& stream, Tensor y, Tensor mean, Tensor invstd, Tensor x, const NormParameters& p,
                        Activation a, void* workspace);

// The statistics' part of it where the sums of x and of x^2 over its `pixels` are known (channel_sums.h); then
// batch_norm_recompute makes y. As they are f32, the variance loses what the mean's square is larger than it.
void batch_norm_statistics(Stream& stream, Tensor mean, Tensor invstd, Tensor sums, std::int64_t pixels,
                           const NormParameters& p, void* workspace);
std::size_t batch_norm_statistics_workspace_bytes(std::int64_t channels);

// The same y, bit by bit, from the statistics that batch_norm_forward left; moves nothing. y may be x.
void batch_norm_recompute(Stream& stream, Tensor y, Tensor x, Tensor mean, Tensor invstd, const NormParameters& p,
                          Activation a, void* workspace);

// The activation's slope is recomputed from x. Reads dy and x twice, writes dx, which may be dy or x. dgamma is written
// even where gamma is absent.
void batch_norm_backward(Stream& stream, Tensor dx, Tensor dgamma, Tensor dbeta, Tensor dy, Tensor x, Tensor mean,
                         Tensor invstd, const NormParameters& p, Activation a, void* workspace);

// y = a(scale[c] x + shift[c]); y may be x.
void affine_forward(Stream& stream, Tensor y, Tensor x, Tensor scale, Tensor shift, Activation a, void* workspace);

namespace cuda {  // batch_norm.cu
decltype(ipa::batch_norm_forward) batch_norm_forward;
decltype(ipa::batch_norm_statistics) batch_norm_statistics;
decltype(ipa::batch_norm_recompute) batch_norm_recompute;
decltype(ipa::batch_norm_backward) batch_norm_backward;
decltype(ipa::affine_forward) affine_forward;
}  // namespace cuda

}  // namespace ipa
