// Convolutions on NVIDIA GPUs by cuDNN, with what it can do in the same kernel. Contract: kernels/conv.h, with these
// layouts: activations and weights NHWC with the channels padded to multiples of 8 and zeros in the padding (weights
// (Co,kh,kw,Ci) in both Co and Ci); bf16 or f32 throughout, but bias, statistics and weight gradients, which are f32.
// Sums are f32; f32 convolutions do not use TF32. ReLU and LeakyReLU keep a NaN.
//
// Preparing needs no GPU: the workspace is fixed beforehand, so that a memory plan is a function of the graph alone.
// `ready` then chooses a plan for the stream's device (kernels/conv_choice_cudnn.cpp) that makes do with it.
#pragma once

#include <array>

#include "kernels/conv.h"

namespace ipa::cuda {

constexpr std::int64_t padded_channels(std::int64_t c) { return (c + 7) / 8 * 8; }

// What is computed in the convolution's kernel besides it. Vectors are (1,1,1,C) f32, C padded.
struct ConvFusion {
  bool normalise = false;  // forward: the convolution's input is relu(x scale + shift), which is never in memory
  bool bias = false;       // forward: y = a(conv + bias)
  Activation activation = {};
  bool statistics = false;     // forward: sums and sums of squares of y over the pixels, as batch norm asks for
  bool by_forward = false;     // dgrad with stride 1, computed as a forward convolution: w holds flip_filters(w). Takes
                               // slices and fuses what cuDNN's own dgrad does not
  bool add = false;            // dgrad: dx += added, another part of x's gradient
  bool relu_backward = false;  // dgrad: then dx = 0 where x, the output of a ReLU, is not positive
  std::int64_t x_pitch = 0,
               y_pitch = 0;  // of x (dx, added) and y (dy) where they are slices of wider tensors; 0: packed
};

// A convolution's geometry is in channels as the network has them; padding them is done here.
struct ConvProblem {
  ConvPass pass = ConvPass::forward;
  ConvGeometry geometry;
  DType dtype = DType::bf16;
  ConvFusion fusion = {};
};

// The tensors of a problem: x and y are dx and dy in dgrad, w is dw in wgrad. `relu` is the ReLU's output x in dgrad.
enum class ConvOperand : std::uint8_t { x, w, y, bias, scale, shift, sum, sum_squares, added, relu, count };
using ConvPointers = std::array<void*, static_cast<std::size_t>(ConvOperand::count)>;

// What any plan may use at most.
constexpr std::size_t conv_workspace_limit = std::size_t{64} << 20;

struct PreparedFusedConv {
  std::function<void(Stream&, const ConvPointers&, void* workspace)> run;
  std::size_t workspace_bytes = 0;
  std::function<void(Stream&)> ready;
};
PreparedFusedConv prepare_conv(const ConvProblem& problem);

PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv(const ConvGeometry& g, DType dtype, bool bias, Activation a);
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_dgrad(const ConvGeometry& g, DType dtype);
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_wgrad(const ConvGeometry& g, DType dtype);

}  // namespace ipa::cuda
