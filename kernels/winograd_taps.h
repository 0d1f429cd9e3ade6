// 4x4 convolution with stride 1 or 2 and its gradients, fp32, on the CPU by Winograd with 6x6 products per tile:
// F(3x3, 4x4) at stride 1, 4 products per output instead of 16; at stride 2 the kernel is four of 2x2 on every other
// pixel, F(5x5, 2x2), 1.44 products instead of 4. The points and so the transforms of the input are those of
// winograd_transforms.h. Three phases over all tiles: transform the input, 36 products of matrices by conv_gemm's
// kernels, transform the products; the workspace holds both.
// The weight gradient is the transpose of the same, dw = G^T [sum over tiles of (A dy A^T) * (B^T x B)] G.
// Any number of channels, slices too; dw packed. Relative RMS error 1e-6 to 2e-6. A NaN or infinity makes every
// output of the tiles that read it a NaN, and the taps of its channel. The same bits on any number of threads, but not
// by every instruction set.
#pragma once

#include "kernels/conv.h"

namespace ipa::winograd_taps {

bool supports(const ConvGeometry& g);
bool is_faster(const ConvGeometry& g);  // each pass, than oneDNN and conv_gemm.h

PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv(const ConvGeometry& g, bool bias, Activation a);
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_dgrad(const ConvGeometry& g);
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_wgrad(const ConvGeometry& g);

}  // namespace ipa::winograd_taps
