// Losses: values are scalars, summed in double in an order fixed by the shape; gradients are scaled by the scalar
// dloss. A NaN in any operand reaches the result. Every operand is read or written once, a few FLOPs a byte: bound by
// memory bandwidth. On an H200 (4.3 TB/s), 16 x 128 x 128 x 64 in bf16: l1 forward 67 MB, 0.016 ms; backward 101 MB,
// 0.023 ms. One-channel images of 16 x 256 x 256 (17 MB each with padding) are below 0.02 ms, all scalars a launch's
// time.
#pragma once

#include <cstddef>
#include <span>

#include "engine/host_device.h"
#include "engine/stream.h"
#include "engine/tensor.h"

namespace ipa {

// Mean over all elements of max(z, 0) - z t + log(1 + exp(-|z|)).
void bce_with_logits_forward(Stream& stream, Tensor loss, Tensor z, float target, void* workspace);
void bce_with_logits_backward(Stream& stream, Tensor dz, Tensor z, Tensor dloss, float target);
std::size_t bce_with_logits_workspace_bytes(Device device, const Shape& z);

// losses[k] = mean |a[k] - b[k]| over all elements, for tensors of one type in one launch per eight.
void l1_forward(Stream& stream, std::span<const Tensor> losses, std::span<const Tensor> a, std::span<const Tensor> b,
                void* workspace);
std::size_t l1_workspace_bytes(Device device, std::span<const TensorSpec> a);
// da[k] = dlosses[k] sign(a[k] - b[k]) / elements; da[k] may be a[k] if that stands nowhere else in the lists. The
// gradient with respect to b is that of (b, a).
void l1_backward(Stream& stream, std::span<const Tensor> da, std::span<const Tensor> a, std::span<const Tensor> b,
                 std::span<const Tensor> dlosses);

// Per image the mean of |a - b| over all channels of the pixels where mask (N,H,W,1) is 1, 0 for an image without any;
// then the mean over images. `share` (N,1,1,1) is each such element's part in the result, 1 / (N C holes) or 0. On CUDA
// the mask has the type of a and b.
void masked_l1_forward(Stream& stream, Tensor loss, Tensor share, Tensor a, Tensor b, Tensor mask, void* workspace);
void masked_l1_backward(Stream& stream, Tensor da, Tensor a, Tensor b, Tensor mask, Tensor share, Tensor dloss);
std::size_t masked_l1_workspace_bytes(Device device, const Shape& a);

// sum = sum_i weights[i] terms[i] in double; dterms[i] = weights[i] dsum. On CUDA at most 32 terms.
void weighted_sum_forward(Stream& stream, Tensor sum, std::span<const Tensor> terms, Tensor weights);
void weighted_sum_backward(Stream& stream, std::span<const Tensor> dterms, Tensor weights, Tensor dsum);

// Grey in [-1, 1] to what Caffe's VGG-19 was trained on: 0..255, the mean of ImageNet subtracted, B, G, R.
IPA_HD float vgg_value(float grey, int channel) {
  return 127.5f * (grey + 1.0f) - (channel == 0 ? 103.939f : channel == 1 ? 116.779f : 123.68f);
}
void vgg_input_forward(Stream& stream, Tensor y, Tensor x);
void vgg_input_backward(Stream& stream, Tensor dx, Tensor dy);

namespace cuda {  // losses.cu
decltype(ipa::bce_with_logits_forward) bce_with_logits_forward;
decltype(ipa::bce_with_logits_backward) bce_with_logits_backward;
decltype(ipa::l1_forward) l1_forward;
decltype(ipa::l1_backward) l1_backward;
decltype(ipa::masked_l1_forward) masked_l1_forward;
decltype(ipa::masked_l1_backward) masked_l1_backward;
decltype(ipa::weighted_sum_forward) weighted_sum_forward;
decltype(ipa::weighted_sum_backward) weighted_sum_backward;
decltype(ipa::vgg_input_forward) vgg_input_forward;
decltype(ipa::vgg_input_backward) vgg_input_backward;
}  // namespace cuda

}  // namespace ipa
