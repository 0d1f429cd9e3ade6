// Weight gradient of the convolutions of kernels/winograd.h, by the transpose of the same algorithm:
//   dw = G^T [sum over tiles of (A dy A^T) * (B^T p(x) B)] G
// Any size and any number of channels; x and dy may be slices of wider tensors; dw (Co,3,3,Ci), packed. What is summed
// in which order depends on the shape and the instruction set alone: the same bits on any number of threads.
// Relative RMS error 8e-7 to 2e-6 (docs/numerics.md). A NaN or infinity in x or dy makes every tap of its channel a NaN.
// The workspace is 1 to 14 MiB for the layers of our networks and at most 2 MiB more for each thread.
#pragma once

#include "kernels/conv.h"

namespace ipa::winograd {

bool wgrad_is_faster(const ConvGeometry& g);  // than oneDNN, by the shape alone; false where not supported

struct WgradOptions {
  bool input_affine = false, input_relu = false;  // p(x) = x * x_scale + x_shift, then ReLU; padding is 0 after p
};

// The vectors without data where the options do not ask for them.
struct WgradOperands {
  Tensor dw, x, dy, x_scale, x_shift;
};

// The workspace has room for as many threads as OpenMP has at the time of preparation; more are not used.
PreparedConv<WgradOperands> prepare_wgrad(const ConvGeometry& g, const WgradOptions& options);

// The same under the contract of conv.h.
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_wgrad(const ConvGeometry& g);

}  // namespace ipa::winograd
