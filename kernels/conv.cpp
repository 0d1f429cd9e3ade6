#include "kernels/conv.h"

#include <algorithm>

#include "engine/on_device.h"
#include "kernels/channel_sums.h"
#include "kernels/conv_gemm.h"
#include "kernels/winograd.h"
#include "kernels/winograd_taps.h"
#include "kernels/winograd_wgrad.h"

namespace ipa {
namespace {

void require_f32(DType dtype) { require(dtype == DType::f32, "conv: on the CPU the operands are fp32"); }

}  // namespace

PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv(Device device, const ConvGeometry& g, DType dtype, bool bias,
                                                          Activation a) {
  return prepare_on_device(
      device,
      [&] {
        require_f32(dtype);
        if (winograd::is_faster(ConvPass::forward, g)) return winograd::prepare_conv(g, bias, a);
        if (winograd_taps::is_faster(g)) return winograd_taps::prepare_conv(g, bias, a);
        if (gemm::is_faster(ConvPass::forward, g)) return gemm::prepare_conv(g, bias, a);
        return onednn::prepare_conv(g, bias, a);
      },
      [&] { return cuda::prepare_conv(g, dtype, bias, a); }, conv_workspace_limit);
}

PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv_statistics(Device device, const ConvGeometry& g,
                                                                     DType dtype) {
  return prepare_on_device(
      device,
      [&] {
        PreparedConv<Tensor, Tensor, Tensor, Tensor> plain = prepare_conv(device, g, dtype, false, {}), both;
        both.workspace_bytes = std::max(plain.workspace_bytes, channel_sums_workspace_bytes(device, g.y));
        both.run = [run = std::move(plain.run)](Stream& stream, Tensor y, Tensor sums, Tensor x, Tensor w,
                                                void* workspace) {
          run(stream, y, x, w, {}, workspace);
          channel_sums(stream, sums, y, workspace);
        };
        return both;
      },
      [&] { return cuda::prepare_conv_statistics(g, dtype); }, conv_workspace_limit);
}

PreparedConv<Tensor, Tensor, Tensor> prepare_conv_dgrad(Device device, const ConvGeometry& g, DType dtype) {
  return prepare_on_device(
      device,
      [&] {
        require_f32(dtype);
        if (winograd::is_faster(ConvPass::dgrad, g)) return winograd::prepare_conv_dgrad(g);
        if (winograd_taps::is_faster(g)) return winograd_taps::prepare_conv_dgrad(g);
        if (gemm::is_faster(ConvPass::dgrad, g)) return gemm::prepare_conv_dgrad(g);
        return onednn::prepare_conv_dgrad(g);
      },
      [&] { return cuda::prepare_conv_dgrad(g, dtype); }, conv_workspace_limit);
}

bool dgrad_takes_addition(Device device, const ConvGeometry& g) {
  if (!device.is_cpu() || winograd::is_faster(ConvPass::dgrad, g)) return true;
  return !winograd_taps::is_faster(g) && gemm::is_faster(ConvPass::dgrad, g);
}

PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv_dgrad_add(Device device, const ConvGeometry& g, DType dtype) {
  require(dgrad_takes_addition(device, g), "conv dgrad: no kernel of this shape takes an addition");
  return prepare_on_device(
      device,
      [&] {
        require_f32(dtype);
        if (winograd::is_faster(ConvPass::dgrad, g)) return winograd::prepare_conv_dgrad_add(g);
        return gemm::prepare_conv_dgrad_add(g);
      },
      [&] { return cuda::prepare_conv_dgrad_add(g, dtype); }, conv_workspace_limit);
}

bool conv_takes_pitch(ConvPass pass, Device device, const ConvGeometry& g) {
  require(pass != ConvPass::dgrad, "conv: a data gradient reads no x");
  if (!device.is_cpu()) return false;
  if (pass == ConvPass::wgrad) return !winograd::wgrad_is_faster(g) && !winograd_taps::is_faster(g);
  return !winograd::is_faster(pass, g) && !winograd_taps::is_faster(g) && gemm::is_faster(pass, g);
}

PreparedConv<Tensor, Tensor, Tensor> prepare_conv_wgrad(Device device, const ConvGeometry& g, DType dtype) {
  return prepare_on_device(
      device,
      [&] {
        require_f32(dtype);
        if (winograd::wgrad_is_faster(g)) return winograd::prepare_conv_wgrad(g);
        if (winograd_taps::is_faster(g)) return winograd_taps::prepare_conv_wgrad(g);
        return gemm::prepare_conv_wgrad(g);  // not oneDNN's, whose bits depend on the number of threads
      },
      [&] { return cuda::prepare_conv_wgrad(g, dtype); }, conv_workspace_limit);
}

}  // namespace ipa
