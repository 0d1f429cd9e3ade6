// Convolutions on NVIDIA GPUs by cuDNN, with what it can do in the same kernel. Contract: kernels/conv.h; layouts:
// kernels/conv_problem.h. Sums are f32; f32 convolutions do not use TF32. ReLU and LeakyReLU keep a NaN.
//
// Preparing needs no GPU: the workspace is fixed beforehand, so that a memory plan is a function of the graph alone.
// `ready` then chooses a plan for the stream's device (kernels/conv_choice_cudnn.cpp) that makes do with it.
#pragma once

#include "kernels/conv_problem.h"

namespace ipa::cuda {

// run creates only small host objects, and only enqueues; it belongs in a captured graph. ready and run are called by
// the same thread.
struct PreparedFusedConv {
  std::function<void(Stream&, const ConvPointers&, void* workspace)> run;
  std::size_t workspace_bytes = 0;
  std::function<void(Stream&)> ready;
};
PreparedFusedConv prepare_conv(const ConvProblem& problem);

PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv(const ConvGeometry& g, DType dtype, bool bias, Activation a);
PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv_statistics(const ConvGeometry& g, DType dtype);
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_dgrad(const ConvGeometry& g, DType dtype);
PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv_dgrad_add(const ConvGeometry& g, DType dtype);
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_wgrad(const ConvGeometry& g, DType dtype);

}  // namespace ipa::cuda
