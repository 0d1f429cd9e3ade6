// 3x3 convolution, stride 1, padding 1, fp32, on the CPU by Winograd's F(4x4, 3x3): 36 products where the definition
// has 144, and transforms around them. Any size and any number of channels; x, y and `added` may be slices of wider
// tensors (pitch > channels). Weights (Co,3,3,Ci), transformed at each run.
//   forward        y = a((conv(p(x), w) * y_scale + y_shift) + added),  p(x) = x * x_scale + x_shift, then ReLU;
//   padding is
//                  0 after p, and per-channel vectors that are left out are 1 and 0
//   backward-data  the same with y for dx, x for dy and the transposed weights, turned by 180 degrees
// Relative RMS error 5e-7 to 1.5e-6 (32 to 256 channels; docs/numerics.md). A NaN or infinity makes every output of the
// tiles that read it a NaN. The same bits on any number of threads, but not by every instruction set.
#pragma once

#include "kernels/conv.h"

namespace ipa::winograd {

struct Options {
  bool backward_data = false;
  bool input_affine = false, input_relu = false;
  bool output_scale = false, output_shift = false, add = false;
  Activation activation = {};  // none, ReLU or LeakyReLU
};

// Without data where the options do not ask for it. `added` may be y.
struct Operands {
  Tensor y, x, w, x_scale, x_shift, y_scale, y_shift, added;
};

bool supports(const ConvGeometry& g);
bool is_faster(ConvPass pass, const ConvGeometry& g);  // than oneDNN, by the shape alone; false where not supported

// The workspace has room for as many threads as OpenMP has at the time of preparation; more are not used.
PreparedConv<Operands> prepare(const ConvGeometry& g, const Options& options);

// The same under the contract of conv.h; tanh and sigmoid are a second pass.
PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv(const ConvGeometry& g, bool bias, Activation a);
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_dgrad(const ConvGeometry& g);
PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv_dgrad_add(const ConvGeometry& g);

}  // namespace ipa::winograd
