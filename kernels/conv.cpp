#include "kernels/conv.h"

#include <type_traits>

#include "engine/on_device.h"

namespace ipa {
namespace {

void require_f32(DType dtype) { require(dtype == DType::f32, "conv: on the CPU the operands are fp32"); }

template <class Cpu, class Cuda>
std::invoke_result_t<Cpu> prepare(Device device, Cpu cpu, [[maybe_unused]] Cuda cuda) {
  if (device.is_cpu()) return cpu();
  std::invoke_result_t<Cpu> prepared;
  if constexpr (cuda_built) prepared = cuda();
  require(prepared.workspace_bytes <= conv_cuda_workspace_bytes, "conv: more workspace than is planned");
  prepared.workspace_bytes = conv_cuda_workspace_bytes;
  return prepared;
}

}  // namespace

PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv(Device device, const ConvGeometry& g, DType dtype, bool bias,
                                                          Activation a) {
  return prepare(
      device,
      [&] {
        require_f32(dtype);
        return onednn::prepare_conv(g, bias, a);
      },
      [&] { return cuda::prepare_conv(g, dtype, bias, a); });
}

PreparedConv<Tensor, Tensor, Tensor> prepare_conv_dgrad(Device device, const ConvGeometry& g, DType dtype) {
  return prepare(
      device,
      [&] {
        require_f32(dtype);
        return onednn::prepare_conv_dgrad(g);
      },
      [&] { return cuda::prepare_conv_dgrad(g, dtype); });
}

PreparedConv<Tensor, Tensor, Tensor> prepare_conv_wgrad(Device device, const ConvGeometry& g, DType dtype) {
  return prepare(
      device,
      [&] {
        require_f32(dtype);
        return onednn::prepare_conv_wgrad(g);
      },
      [&] { return cuda::prepare_conv_wgrad(g, dtype); });
}

}  // namespace ipa
