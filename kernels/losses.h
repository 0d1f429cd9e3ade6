// Losses on packed fp32 tensors: values are scalars, summed in double in an order fixed by the shape; gradients are
// scaled by the scalar dloss. A NaN in any operand reaches the result. Bytes: every operand once.
#pragma once

#include <cstddef>
#include <span>

#include "engine/stream.h"
#include "engine/tensor.h"

namespace ipa {

std::size_t loss_workspace_bytes(const Shape& x);  // of the three values below

// Mean over all elements of max(z, 0) - z t + log(1 + exp(-|z|)).
void bce_with_logits_forward(Stream& stream, Tensor loss, Tensor z, float target, void* workspace);
void bce_with_logits_backward(Stream& stream, Tensor dz, Tensor z, Tensor dloss, float target);

// Mean |a - b| over all elements. The gradient with respect to b is that of (b, a).
void l1_forward(Stream& stream, Tensor loss, Tensor a, Tensor b, void* workspace);
void l1_backward(Stream& stream, Tensor da, Tensor a, Tensor b, Tensor dloss);

// Per image the mean of |a - b| over all channels of the pixels where mask (N,H,W,1) is 1, 0 for an image without any;
// then the mean over images. `share` (N,1,1,1) is each such element's part in the result, 1 / (N C holes) or 0.
void masked_l1_forward(Stream& stream, Tensor loss, Tensor share, Tensor a, Tensor b, Tensor mask, void* workspace);
void masked_l1_backward(Stream& stream, Tensor da, Tensor a, Tensor b, Tensor mask, Tensor share, Tensor dloss);

void weighted_sum_forward(Stream& stream, Tensor sum, std::span<const Tensor> terms, Tensor weights);
void weighted_sum_backward(Stream& stream, Tensor dterm, Tensor weights, Tensor dsum, int term);

// Grey in [-1, 1] to what Caffe's VGG-19 was trained on: 0..255, the mean of ImageNet subtracted, B, G, R.
void vgg_input_forward(Stream& stream, Tensor y, Tensor x);
void vgg_input_backward(Stream& stream, Tensor dx, Tensor dy);

}  // namespace ipa
