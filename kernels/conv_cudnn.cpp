#include "kernels/conv_cudnn.h"

#include <memory>
#include <utility>

#include "kernels/channel_sums.h"
#include "kernels/conv_choice_cudnn.h"
#include "kernels/pointwise.h"

namespace ipa::cuda {
namespace {

// What kernels of ours do after the plan, where no plan that does it too is sound.
struct After {
  Activation activation = {};
  bool add = false, statistics = false;
};

struct Prepared {
  ConvProblem problem;
  std::shared_ptr<const CudnnPlan> plan;  // set by ready
  After after;
};

bool can_be_done_after(const ConvFusion& f) {
  const bool some = f.activation.kind != Activation::Kind::none || f.add || f.statistics;
  return some && !(f.add && f.relu_backward) && !(f.statistics && f.y_pitch);
}

void make_ready(Prepared& p, Stream& stream) {
  if (p.plan) return;
  std::string why_none;
  p.plan = find_conv_plan(stream, p.problem, why_none);
  if (!p.plan && can_be_done_after(p.problem.fusion)) {
    ConvProblem plain = p.problem;
    ConvFusion& f = plain.fusion;
    p.after = {std::exchange(f.activation, {}), std::exchange(f.add, false), std::exchange(f.statistics, false)};
    p.plan = find_conv_plan(stream, plain, why_none);
    if (p.plan) p.problem = plain;
  }
  if (!p.plan)
    fail(ErrorKind::device, "cuDNN has no plan for the convolution " + to_string(p.problem) + ": " + why_none, "",
         "try another version of cuDNN");
}

Tensor tensor_of(const ConvProblem& problem, ConvOperand o, const ConvPointers& pointers, const Stream& stream) {
  const ConvLayout layout = conv_layout(problem, o);
  Tensor t(pointers[static_cast<std::size_t>(o)], layout.spec, stream.device());
  t.pitch = layout.pitch;
  return t;
}

void run(const Prepared& p, Stream& stream, const ConvPointers& pointers, void* workspace) {
  require(p.plan != nullptr, "conv on cuDNN: run before ready");
  run_conv_plan(stream, *p.plan, p.problem, pointers, workspace);
  auto tensor = [&](ConvOperand o) { return tensor_of(p.problem, o, pointers, stream); };
  if (p.after.add) {
    const Tensor dx = tensor(ConvOperand::x);
    cuda::add_tensors(stream, dx, dx, tensor(ConvOperand::added));
  }
  if (p.after.activation.kind != Activation::Kind::none) {
    const Tensor y = tensor(ConvOperand::y);
    cuda::activation_forward(stream, y, y, p.after.activation);
  }
  if (p.after.statistics) {  // padding is summed too: it is 0
    const Tensor y = tensor(ConvOperand::y);
    void* const sums = pointers[static_cast<std::size_t>(ConvOperand::sum)];
    cuda::channel_sums(stream, Tensor(sums, {channel_sums_shape(y.shape.c)}, stream.device()), y, workspace);
  }
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

PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv_statistics(const ConvGeometry& g, DType dtype) {
  const ConvProblem problem{ConvPass::forward, g, dtype, {.statistics = true}};
  PreparedFusedConv fused = prepare_conv(problem);
  return {[problem, run = std::move(fused.run)](Stream& stream, Tensor y, Tensor sums, Tensor x, Tensor w,
                                                void* workspace) {
            require(sums.pitch == conv_layout(problem, ConvOperand::sum).pitch, "conv on cuDNN: sums of another width");
            ConvPointers pointers{data_of(x, problem, ConvOperand::x), data_of(w, problem, ConvOperand::w),
                                  data_of(y, problem, ConvOperand::y)};
            pointers[static_cast<std::size_t>(ConvOperand::sum)] = sums.f32();
            pointers[static_cast<std::size_t>(ConvOperand::sum_squares)] = sums.f32() + sums.pitch;
            run(stream, pointers, workspace);
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

PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv_dgrad_add(const ConvGeometry& g, DType dtype) {
  const ConvProblem problem{ConvPass::dgrad, g, dtype, {.add = true}};
  PreparedFusedConv fused = prepare_conv(problem);
  return {[problem, run = std::move(fused.run)](Stream& stream, Tensor dx, Tensor dy, Tensor w, Tensor added,
                                                void* workspace) {
            ConvPointers pointers{data_of(dx, problem, ConvOperand::x), data_of(w, problem, ConvOperand::w),
                                  data_of(dy, problem, ConvOperand::y)};
            pointers[static_cast<std::size_t>(ConvOperand::added)] = data_of(added, problem, ConvOperand::added);
            run(stream, pointers, workspace);
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
