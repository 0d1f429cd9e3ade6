// Between storage types, and between images as files hold them and as networks do.
//
// A picture of one channel takes 8 numbers a pixel on CUDA (engine/tensor.h). Where it enters or leaves a program it
// lies better in *rows*, (N, H, 1, W) in f32 with W a multiple of 8: the same pixels in the same order, packed on every
// device, so that 4 bytes a pixel travel and the device converts and pads.
//
// Bytes: every operand once, padding too: cast_tensor 6 an element, the other two 20 a pixel in bf16 (36 in f32). Bound
// by memory bandwidth: on an H200 (4.3 TB/s) at least 0.08 ms for 16 x 256 x 256 x 56 and 0.005 ms for 16 x 256 x 256
// pixels. On the CPU there is f32 alone, and all three copy.
#pragma once

#include "engine/stream.h"
#include "engine/tensor.h"

namespace ipa {

void cast_tensor(Stream& stream, Tensor y, Tensor x);             // y = x of equal shape, each f32 or bf16
void image_from_rows(Stream& stream, Tensor image, Tensor rows);  // (N, H, 1, W) f32 to (N, H, W, 1), f32 or bf16
void rows_from_image(Stream& stream, Tensor rows, Tensor image);  // the reverse

namespace cuda {  // cast.cu
decltype(ipa::cast_tensor) cast_tensor;
decltype(ipa::image_from_rows) image_from_rows;
decltype(ipa::rows_from_image) rows_from_image;
}  // namespace cuda

}  // namespace ipa
