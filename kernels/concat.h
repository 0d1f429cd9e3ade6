// Copies between a tensor and its channel ranges. Every operand is read or written once; bound by memory bandwidth: on
// an H200 (4.3 TB/s) a concatenation of two of 16 x 256 x 256 x 32 in bf16 needs at least 0.062 ms. On CUDA, where each
// tensor pads its own channels to a multiple of eight, ranges that begin at one are copied 16 bytes at a time, others
// channel by channel.
#pragma once

#include <span>

#include "engine/stream.h"
#include "engine/tensor.h"

namespace ipa {

void concat_channels(Stream& stream, Tensor y, std::span<const Tensor> parts);           // in order; on CUDA 8 at most
void slice_channels_forward(Stream& stream, Tensor y, Tensor x, std::int64_t first);     // y = x[.., first : first + C]
void slice_channels_backward(Stream& stream, Tensor dx, Tensor dy, std::int64_t first);  // dy there, 0 elsewhere

namespace cuda {  // concat.cu
decltype(ipa::concat_channels) concat_channels;
decltype(ipa::slice_channels_forward) slice_channels_forward;
decltype(ipa::slice_channels_backward) slice_channels_backward;
}  // namespace cuda

}  // namespace ipa
