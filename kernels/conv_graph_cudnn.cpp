#include "kernels/conv_graph_cudnn.h"

#include <fmt/core.h>

namespace ipa::cuda {
namespace {

// Appends tensors and operations of one problem.
class Builder {
 public:
  explicit Builder(const ConvProblem& problem) : problem_(problem), fusion_(problem.fusion) {
    const ConvGeometry& g = problem.geometry;
    window_ = {g.stride, g.pad, g.dilation};
    require(problem.dtype == DType::bf16 || problem.dtype == DType::f32, "conv on cuDNN: bf16 or f32");
    require(!fusion_.by_forward || (g.stride == 1 && problem.pass == ConvPass::dgrad),
            "conv on cuDNN: a dgrad by a forward convolution has stride 1");
    switch (problem.pass) {
      case ConvPass::forward:
        forward();
        break;
      case ConvPass::dgrad:
        dgrad();
        break;
      case ConvPass::wgrad:
        wgrad();
        break;
    }
  }
  OperationGraph result() && { return std::move(graph_); }

 private:
  using T = OperationGraph::Tensor;

  T operand(ConvOperand o) {
    const ConvLayout l = conv_layout(problem_, o);
    return graph_.in_memory(conv_id(o), l.spec, l.pitch);
  }
  T inside(ConvOperand like, DType dtype) { return graph_.inside({conv_layout(problem_, like).spec.shape, dtype}); }

  void forward() {
    T in = operand(ConvOperand::x);
    if (fusion_.normalise) {
      const T scaled = inside(ConvOperand::x, DType::f32), shifted = inside(ConvOperand::x, DType::f32),
              normalised = inside(ConvOperand::x, problem_.dtype);  // rounded as a stored activation would be
      graph_.mul(in, operand(ConvOperand::scale), scaled);
      graph_.add(scaled, operand(ConvOperand::shift), shifted);
      graph_.activation(relu_activation, shifted, normalised);
      in = normalised;
    }
    const T w = operand(ConvOperand::w), y = operand(ConvOperand::y);
    const bool active = fusion_.activation.kind != Activation::Kind::none;
    T out = fusion_.bias || active ? inside(ConvOperand::y, DType::f32) : y;
    graph_.conv(in, w, out, window_);
    if (fusion_.bias) {
      const T sum = active ? inside(ConvOperand::y, DType::f32) : y;
      graph_.add(out, operand(ConvOperand::bias), sum);
      out = sum;
    }
    if (active) graph_.activation(fusion_.activation, out, y);
    if (fusion_.statistics) {
      const T square = inside(ConvOperand::y, DType::f32);
      graph_.sum_pixels(y, operand(ConvOperand::sum), fusion_.any_order);
      graph_.mul(y, y, square);
      graph_.sum_pixels(square, operand(ConvOperand::sum_squares), fusion_.any_order);
    }
  }

  void dgrad() {
    const T dy = operand(ConvOperand::y), w = operand(ConvOperand::w), dx = operand(ConvOperand::x);
    T out = fusion_.add || fusion_.relu_backward ? inside(ConvOperand::x, DType::f32) : dx;
    if (fusion_.by_forward) {
      const std::int64_t reach = problem_.geometry.dilation * (problem_.geometry.w.h - 1);
      require(problem_.geometry.w.h == problem_.geometry.w.w, "conv on cuDNN: filters are square");
      graph_.conv(dy, w, out, {1, reach - window_.pad, window_.dilation});
    } else {
      graph_.conv_dgrad(out, w, dy, window_);
    }
    if (fusion_.add) {
      const T sum = fusion_.relu_backward ? inside(ConvOperand::x, DType::f32) : dx;
      graph_.add(out, operand(ConvOperand::added), sum);
      out = sum;
    }
    if (fusion_.relu_backward) graph_.relu_backward(operand(ConvOperand::relu), out, dx);
  }

  // cuDNN writes bf16 unless something follows: the identity gives the sums as they are.
  void wgrad() {
    const T x = operand(ConvOperand::x), dy = operand(ConvOperand::y), dw = operand(ConvOperand::w);
    if (problem_.dtype == DType::f32) return graph_.conv_wgrad(x, dw, dy, window_);
    const T sums = inside(ConvOperand::w, DType::f32);
    graph_.conv_wgrad(x, sums, dy, window_);
    graph_.identity(sums, dw);
  }

  const ConvProblem& problem_;
  const ConvFusion& fusion_;
  ConvWindow window_;
  OperationGraph graph_;
};

}  // namespace

OperationGraph conv_graph(const ConvProblem& problem) { return Builder(problem).result(); }

std::string refusal(const EngineConfig& engine, DType dtype) {
  if (engine.has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)) return "not deterministic";
  if (dtype == DType::f32 &&
      (engine.has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE) || engine.has(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS)))
    return "TF32";
  if (engine.has(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION)) return "sums in less than f32";
  return {};
}

}  // namespace ipa::cuda
