// Convolution on the CPU as a product of matrices whose rows are pixels: our own kernels, fp32, any kernel, stride and
// padding; backward-data has a dilation or a stride, not both. Tensors may be slices of wider ones (pitch > channels).
//   forward  rows of y = rows of kh kw Ci floats, copied together in the cache, times the weights, packed at each run
//   dgrad    the same for each of the stride^2 classes of pixels of dx, to which the same taps of the kernel belong
//   wgrad    dw = sums over the pixels, in parts fixed by the shape, which are added up in their order
// The same bits on any number of threads, but not by every instruction set. A NaN or infinity may make a NaN of what
// the definition reads beside padding: padding is multiplied like pixels.
#pragma once

#include "kernels/conv.h"

namespace ipa::gemm {

// Where forward and dgrad are to be taken and not oneDNN's, by what was measured (conv_gemm.cpp). Not a question of
// wgrad, which always is.
bool is_faster(ConvPass pass, const ConvGeometry& g);

PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv(const ConvGeometry& g, bool bias, Activation a);
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_dgrad(const ConvGeometry& g);
// `added` lies as dx does.
PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv_dgrad_add(const ConvGeometry& g);
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_wgrad(const ConvGeometry& g);

}  // namespace ipa::gemm
