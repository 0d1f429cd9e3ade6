// Convolution and its gradients on packed fp32 NHWC tensors; weights (Co,kh,kw,Ci). Each is prepared once (slow; the
// algorithm and its layouts are chosen there, by shape) and then run without creating anything.
//   forward  y[n,i,j,o]  = a(sum x[n, i stride - pad + r dilation, j ..., c] w[o,r,s,c] + bias[o])
//   dgrad    dx = d<dy, forward>/dx without bias and activation; wgrad dw likewise
// FLOPs: 2 * (elements of y) * kh * kw * Ci for each of the three.
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
  std::function<void(Stream&)> ready;  // slow, once, before the first run, where there is one
};

// run(stream, y, x, w, bias, workspace); bias without data where `bias` is false.
PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv(const ConvGeometry& g, bool bias, Activation a);
// run(stream, dx, dy, w, workspace)
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_dgrad(const ConvGeometry& g);
// run(stream, dw, x, dy, workspace). The order of its sums, and so its last bits, depend on the number of OpenMP
// threads at the time of preparation; for one number they are the same in every run.
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_wgrad(const ConvGeometry& g);

}  // namespace ipa
