// Per-channel bias on packed fp32 tensors, and its gradient. Bytes: every operand once.
#pragma once

#include <cstddef>

#include "engine/stream.h"
#include "engine/tensor.h"

namespace ipa {

void add_bias_forward(Stream& stream, Tensor y, Tensor x, Tensor bias);  // y = x + bias[c]; y may be x

// sum[c] = sum of x over batch, height and width, in double, in an order fixed by the shape.
void sum_over_pixels(Stream& stream, Tensor sum, Tensor x, void* workspace);
std::size_t sum_over_pixels_workspace_bytes(const Shape& x);

}  // namespace ipa
