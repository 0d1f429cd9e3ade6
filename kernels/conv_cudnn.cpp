#include "kernels/conv_cudnn.h"

#include <memory>
#include <utility>

#include "kernels/conv_choice_cudnn.h"
#include "kernels/pointwise.h"

namespace ipa::cuda {
namespace {

struct Prepared {
  ConvProblem problem;
  std::shared_ptr<const CudnnPlan> plan;  // set by ready
  Activation after = {};                  // by a kernel of ours, where no plan that applies it is sound
};

void make_ready(Prepared& p, Stream& stream) {
  if (p.plan) return;
  std::string why_none;
  p.plan = find_conv_plan(stream, p.problem, why_none);
  if (!p.plan && p.problem.fusion.activation.kind != Activation::Kind::none && !p.problem.fusion.statistics) {
    ConvProblem plain = p.problem;
    p.after = std::exchange(plain.fusion.activation, {});
    p.plan = find_conv_plan(stream, plain, why_none);
    if (p.plan) p.problem = plain;
  }
  if (!p.plan)
    fail(ErrorKind::device, "cuDNN has no plan for the convolution " + to_string(p.problem) + ": " + why_none, "",
         "try another version of cuDNN");
}

void run(const Prepared& p, Stream& stream, const ConvPointers& pointers, void* workspace) {
  require(p.plan != nullptr, "conv on cuDNN: run before ready");
  run_conv_plan(stream, *p.plan, p.problem, pointers, workspace);
  if (p.after.kind == Activation::Kind::none) return;
  const ConvLayout layout = conv_layout(p.problem, ConvOperand::y);
  Tensor y(pointers[static_cast<std::size_t>(ConvOperand::y)], layout.spec, stream.device());
  y.pitch = layout.pitch;
  cuda::activation_forward(stream, y, y, p.after);
}

void* data_of(const Tensor& t, const ConvProblem& problem, ConvOperand o) {
  const ConvLayout l = conv_layout(problem, o);
  require(t.dtype == l.spec.dtype && t.pitch == l.pitch, "conv on cuDNN: a tensor is not laid out as prepared");
  return t.data;
}

}  // namespace

PreparedFusedConv prepare_conv(const ConvProblem& problem) {
  auto p = std::make_shared<Prepared>(Prepared{problem, nullptr, {}});
  return {[p](Stream& stream, const ConvPointers& pointers, void* workspace) { run(*p, stream, pointers, workspace); },
          conv_workspace_limit, [p](Stream& stream) { make_ready(*p, stream); }};
}

PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv(const ConvGeometry& g, DType dtype, bool bias, Activation a) {
  const ConvProblem problem{ConvPass::forward, g, dtype, {.bias = bias, .activation = a}};
  PreparedFusedConv fused = prepare_conv(problem);
  return {
      [problem, run = std::move(fused.run)](Stream& stream, Tensor y, Tensor x, Tensor w, Tensor b, void* workspace) {
        run(stream,
            {data_of(x, problem, ConvOperand::x), data_of(w, problem, ConvOperand::w),
             data_of(y, problem, ConvOperand::y), b.data},
            workspace);
      },
      fused.workspace_bytes, std::move(fused.ready)};
}

PreparedConv<Tensor, Tensor, Tensor> prepare_conv_dgrad(const ConvGeometry& g, DType dtype) {
  const ConvProblem problem{ConvPass::dgrad, g, dtype, {}};
  PreparedFusedConv fused = prepare_conv(problem);
  return {[problem, run = std::move(fused.run)](Stream& stream, Tensor dx, Tensor dy, Tensor w, void* workspace) {
            run(stream,
                {data_of(dx, problem, ConvOperand::x), data_of(w, problem, ConvOperand::w),
                 data_of(dy, problem, ConvOperand::y)},
                workspace);
          },
          fused.workspace_bytes, std::move(fused.ready)};
}

PreparedConv<Tensor, Tensor, Tensor> prepare_conv_wgrad(const ConvGeometry& g, DType dtype) {
  const ConvProblem problem{ConvPass::wgrad, g, dtype, {}};
  PreparedFusedConv fused = prepare_conv(problem);
  return {[problem, run = std::move(fused.run)](Stream& stream, Tensor dw, Tensor x, Tensor dy, void* workspace) {
            run(stream,
                {data_of(x, problem, ConvOperand::x), data_of(dw, problem, ConvOperand::w),
                 data_of(dy, problem, ConvOperand::y)},
                workspace);
          },
          fused.workspace_bytes, std::move(fused.ready)};
}

}  // namespace ipa::cuda
