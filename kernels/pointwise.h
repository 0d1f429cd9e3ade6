// Element-wise kernels on packed fp32 tensors of equal shape. Bytes: every operand once; bound by memory bandwidth.
#pragma once

#include "engine/stream.h"
#include "engine/tensor.h"
#include "kernels/math.h"

namespace ipa {

void activation_forward(Stream& stream, Tensor y, Tensor x, Activation a);               // y = a(x); y may be x
void activation_backward(Stream& stream, Tensor dx, Tensor dy, Tensor y, Activation a);  // dx = dy a'(y); dx may be dy
void add_tensors(Stream& stream, Tensor y, Tensor a, Tensor b);                          // y = a + b; y may be a or b
void clip_forward(Stream& stream, Tensor y, Tensor x, float low, float high);            // a NaN stays a NaN
void clip_backward(Stream& stream, Tensor dx, Tensor dy, Tensor x, float low, float high);  // dy where low <= x <= high
void scale_tensor(Stream& stream, Tensor y, Tensor x, Tensor factor, float constant);       // y = constant factor[0] x
void fill_tensor(Stream& stream, Tensor y, float value);

}  // namespace ipa
