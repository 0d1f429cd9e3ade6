// Pooling and upsampling by two. Every operand is read or written once (bilinear reads again what neighbours have in
// the cache); bound by memory bandwidth: on an H200 (4.3 TB/s) max_pool2 of 16 x 256 x 256 x 56 in bf16 needs at least
// 0.034 ms, its gradient 0.061 ms.
#pragma once

#include "engine/host_device.h"
#include "engine/stream.h"
#include "engine/tensor.h"

namespace ipa {

// Whether v takes the place of the maximum so far.
IPA_HD bool wins(float v, float most) { return v > most || v != v; }

// y[i, j] = max of x[2i..2i+1, 2j..2j+1]; a NaN wins, as in PyTorch.
void max_pool2_forward(Stream& stream, Tensor y, Tensor x);
// dx = dy where x is the first maximum of its window in row order (of NaNs the last), else 0; dx may be x.
void max_pool2_backward(Stream& stream, Tensor dx, Tensor dy, Tensor x);

void upsample_nearest2_forward(Stream& stream, Tensor y, Tensor x);
void upsample_nearest2_backward(Stream& stream, Tensor dx, Tensor dy);

// PyTorch's align_corners = False: along each axis y[2i] = x[i-1] / 4 + 3 x[i] / 4, y[2i+1] = 3 x[i] / 4 + x[i+1] / 4,
// indices clamped to the image.
void upsample_bilinear2_forward(Stream& stream, Tensor y, Tensor x);
void upsample_bilinear2_backward(Stream& stream, Tensor dx, Tensor dy);

namespace cuda {  // resample.cu
decltype(ipa::max_pool2_forward) max_pool2_forward;
decltype(ipa::max_pool2_backward) max_pool2_backward;
decltype(ipa::upsample_nearest2_forward) upsample_nearest2_forward;
decltype(ipa::upsample_nearest2_backward) upsample_nearest2_backward;
decltype(ipa::upsample_bilinear2_forward) upsample_bilinear2_forward;
decltype(ipa::upsample_bilinear2_backward) upsample_bilinear2_backward;
}  // namespace cuda

}  // namespace ipa
