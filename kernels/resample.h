// Pooling and upsampling by two; packed fp32. Every operand is read or written once.
#pragma once

#include "engine/stream.h"
#include "engine/tensor.h"

namespace ipa {

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

}  // namespace ipa
