// What cuDNN does on a GPU: convolutions, here by the CPU backend on unpadded fp32 copies of the operands, whose result
// is rounded to the storage type and padded.
#include <memory>
#include <tuple>

#include "engine/buffer.h"
#include "engine/emulation/queue.h"
#include "engine/transfer.h"
#include "kernels/conv.h"

namespace ipa::cuda {
namespace {

// A packed fp32 copy on the CPU; of nothing where `t` has no data.
struct Copy {
  std::vector<float> values;
  TensorSpec spec;

  explicit Copy(const Tensor& t) : spec{t.shape} {
    if (t.data) values = to_host(t);
  }
  Tensor tensor() { return values.empty() ? Tensor{} : Tensor(values.data(), spec); }
};

// Runs a CPU convolution of the result, as an unpadded copy, and the operands.
template <class Prepared, class... Operands>
void run_on_copies(Stream& stream, const std::shared_ptr<Prepared>& prepared, Tensor result, Operands... operands) {
  emulation::enqueue(stream, [=] {
    Copy made(result);
    std::tuple copies{Copy(operands)...};
    const Buffer workspace("emulated convolution", prepared->workspace_bytes);
    Stream cpu;
    std::apply([&](auto&... in) { prepared->run(cpu, made.tensor(), in.tensor()..., workspace.data()); }, copies);
    from_host(made.values, result);
  });
}

template <class... Operands, class Prepared>
PreparedConv<Tensor, Operands...> emulated(Prepared prepared) {
  auto shared = std::make_shared<Prepared>(std::move(prepared));
  return {[shared](Stream& stream, Tensor result, Operands... operands, void*) {
    run_on_copies(stream, shared, result, operands...);
  }};
}

}  // namespace

PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv(const ConvGeometry& g, DType, bool bias, Activation a) {
  return emulated<Tensor, Tensor, Tensor>(onednn::prepare_conv(g, bias, a));
}
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_dgrad(const ConvGeometry& g, DType) {
  return emulated<Tensor, Tensor>(onednn::prepare_conv_dgrad(g));
}
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_wgrad(const ConvGeometry& g, DType) {
  return emulated<Tensor, Tensor>(onednn::prepare_conv_wgrad(g));
}

}  // namespace ipa::cuda
