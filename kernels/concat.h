// Copies between a tensor and its channel ranges; packed fp32. Every operand is read or written once.
#pragma once

#include <span>

#include "engine/stream.h"
#include "engine/tensor.h"

namespace ipa {

void concat_channels(Stream& stream, Tensor y, std::span<const Tensor> parts);           // in order
void slice_channels_forward(Stream& stream, Tensor y, Tensor x, std::int64_t first);     // y = x[.., first : first + C]
void slice_channels_backward(Stream& stream, Tensor dx, Tensor dy, std::int64_t first);  // dy there, 0 elsewhere

}  // namespace ipa
