// What cuDNN does on a GPU: convolutions, here by the CPU backend on unpadded fp32 copies of the operands, whose result
// is rounded to the storage type and padded.
#include <memory>
#include <tuple>

#include "engine/buffer.h"
#include "engine/emulation/queue.h"
#include "engine/transfer.h"
#include "kernels/channel_sums.h"
#include "kernels/conv.h"
#include "kernels/pointwise.h"

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
PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv_statistics(const ConvGeometry& g, DType dtype) {
  auto plain = prepare_conv(g, dtype, false, {});
  return {[run = std::move(plain.run)](Stream& stream, Tensor y, Tensor sums, Tensor x, Tensor w, void* workspace) {
            run(stream, y, x, w, {}, workspace);
            cuda::channel_sums(stream, sums, y, workspace);
          },
          channel_sums_workspace_bytes({Device::Kind::cuda}, g.y)};
}
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_dgrad(const ConvGeometry& g, DType) {
  return emulated<Tensor, Tensor>(onednn::prepare_conv_dgrad(g));
}
PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv_dgrad_add(const ConvGeometry& g, DType) {
  auto plain = onednn::prepare_conv_dgrad(g);
  PreparedConv<Tensor, Tensor, Tensor, Tensor> sum;
  sum.workspace_bytes = plain.workspace_bytes;
  sum.run = [run = std::move(plain.run)](Stream& cpu, Tensor dx, Tensor dy, Tensor w, Tensor added, void* workspace) {
    run(cpu, dx, dy, w, workspace);
    ipa::add_tensors(cpu, dx, dx, added);
  };
  return emulated<Tensor, Tensor, Tensor>(std::move(sum));
}
PreparedConv<Tensor, Tensor, Tensor> prepare_conv_wgrad(const ConvGeometry& g, DType) {
  return emulated<Tensor, Tensor>(onednn::prepare_conv_wgrad(g));
}

}  // namespace ipa::cuda
