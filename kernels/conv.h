// Convolution and its gradients on NHWC tensors; weights (Co,kh,kw,Ci). Operands of one type, fp32 or, on CUDA, bf16;
// the bias and dw are fp32. Each is prepared once and then run without creating anything: on the CPU by our own kernels
// (winograd.h, winograd_taps.h, conv_gemm.h) or by oneDNN (conv_onednn.cpp), which, and with which layouts, is chosen
// by shape; on CUDA by cuDNN (conv_cudnn.cpp).
//   forward  y[n,i,j,o]  = a(sum x[n, i stride - pad + r dilation, j ..., c] w[o,r,s,c] + bias[o])
//   dgrad    dx = d<dy, forward>/dx without bias and activation; wgrad dw likewise
// FLOPs: 2 * (elements of y) * kh * kw * Ci for each of the three. Bytes: x, w and y once. On an H200 (4.3 TB/s,
// 790 TFLOP/s in bf16) 3x3, 24 to 32 channels of 16 x 256 x 256 need at least 0.027 ms for 117 MB, 0.018 for 14.5
// GFLOP.
#pragma once

#include <cstddef>
#include <functional>

#include "engine/stream.h"
#include "engine/tensor.h"
#include "kernels/math.h"

namespace ipa {

enum class ConvPass : std::uint8_t { forward, dgrad, wgrad };

struct ConvGeometry {
  Shape x, w, y;
  int stride = 1, pad = 0, dilation = 1;
};

// The output extent of a convolution along one axis: floor((size + 2 pad - dilation (kernel - 1) - 1) / stride) + 1.
constexpr std::int64_t conv_extent(std::int64_t size, std::int64_t kernel, int stride, int pad, int dilation) {
  const std::int64_t room = size + 2 * pad - dilation * (kernel - 1) - 1;
  return room < 0 ? 0 : room / stride + 1;
}

template <class... Tensors>
struct PreparedConv {
  std::function<void(Stream&, Tensors..., void* workspace)> run;  // workspace 64-byte aligned
  std::size_t workspace_bytes = 0;
  std::function<void(Stream&)> ready = {};  // where it is there: slow, to be called once before the first run
};

// What each is given on CUDA: decided here, so that plans for CUDA are the same in every build. Nearly all plans of our
// networks use under 1 KiB (docs/benchmarks/conv_plans.md); what wants more copies whole tensors into another layout.
constexpr std::size_t conv_workspace_limit = std::size_t{16} << 20;

// A program without CUDA prepares for it too, to plan; what it prepares cannot run.
// run(stream, y, x, w, bias, workspace); bias without data where `bias` is false.
PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv(Device device, const ConvGeometry& g, DType dtype, bool bias,
                                                          Activation a);
// Without bias and activation, and besides the sums of y and of y^2 over its pixels, (1,1,2,Co) f32, as channel_sums.h
// makes them; on CUDA in the convolution's kernel: run(stream, y, sums, x, w, workspace). One order of additions.
PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv_statistics(Device device, const ConvGeometry& g, DType dtype);
// run(stream, dx, dy, w, workspace)
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_dgrad(Device device, const ConvGeometry& g, DType dtype);
// run(stream, dx, dy, w, added, workspace): dx = dgrad + added, another part of x's gradient, in the same kernel, for
// the shapes for which there is one. On the CPU dx may be `added`; on CUDA not.
bool dgrad_takes_addition(Device device, const ConvGeometry& g);
PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv_dgrad_add(Device device, const ConvGeometry& g, DType dtype);
// run(stream, dw, x, dy, workspace). On the CPU the same bits on any number of threads.
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_wgrad(Device device, const ConvGeometry& g, DType dtype);

// Whether x of a forward pass or a weight gradient may have any pixel pitch. On CUDA not: cuDNN would convert it.
bool conv_takes_pitch(ConvPass pass, Device device, const ConvGeometry& g);

// The backends. The order of sums of oneDNN's weight gradient, and so its last bits, depend on the number of OpenMP
// threads at the time of preparation.
namespace onednn {
enum class Layout : std::uint8_t { by_shape, nhwc, blocked };  // the last two for measurements
PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv(const ConvGeometry& g, bool bias, Activation a,
                                                          Layout layout = Layout::by_shape);
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_dgrad(const ConvGeometry& g, Layout layout = Layout::by_shape);
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_wgrad(const ConvGeometry& g, Layout layout = Layout::by_shape);
}  // namespace onednn
namespace cuda {
PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv(const ConvGeometry& g, DType dtype, bool bias, Activation a);
PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv_statistics(const ConvGeometry& g, DType dtype);
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_dgrad(const ConvGeometry& g, DType dtype);
PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv_dgrad_add(const ConvGeometry& g, DType dtype);
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_wgrad(const ConvGeometry& g, DType dtype);
}  // namespace cuda

}  // namespace ipa
