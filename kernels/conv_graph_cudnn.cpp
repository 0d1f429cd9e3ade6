#include "kernels/conv_graph_cudnn.h"

#include <fmt/core.h>

namespace ipa::cuda {
namespace {

Shape padded(const Shape& s) { return {s.n, s.h, s.w, padded_channels(s.c)}; }
Shape padded_filters(const Shape& s) { return {padded_channels(s.n), s.h, s.w, padded_channels(s.c)}; }
bool channelwise(ConvOperand o) { return o >= ConvOperand::bias && o <= ConvOperand::sum_squares; }

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
  ConvGraph result() && { return std::move(made_); }

 private:
  using T = OperationGraph::Tensor;

  T operand(ConvOperand o) {
    const ConvLayout l = conv_layout(problem_, o);
    made_.operands.push_back(o);
    return made_.graph.in_memory(static_cast<std::int64_t>(o), l.spec, l.pitch);
  }
  T inside(ConvOperand like, DType dtype) {
    return made_.graph.inside({conv_layout(problem_, like).spec.shape, dtype});
  }

  void forward() {
    OperationGraph& g = made_.graph;
    T in = operand(ConvOperand::x);
    if (fusion_.normalise) {
      const T scaled = inside(ConvOperand::x, DType::f32), shifted = inside(ConvOperand::x, DType::f32),
              normalised = inside(ConvOperand::x, problem_.dtype);  // rounded as a stored activation would be
      g.mul(in, operand(ConvOperand::scale), scaled);
      g.add(scaled, operand(ConvOperand::shift), shifted);
      g.activation(relu_activation, shifted, normalised);
      in = normalised;
    }
    const T w = operand(ConvOperand::w), y = operand(ConvOperand::y);
    const bool active = fusion_.activation.kind != Activation::Kind::none;
    T out = fusion_.bias || active ? inside(ConvOperand::y, DType::f32) : y;
    g.conv(in, w, out, window_);
    if (fusion_.bias) {
      const T sum = active ? inside(ConvOperand::y, DType::f32) : y;
      g.add(out, operand(ConvOperand::bias), sum);
      out = sum;
    }
    if (active) g.activation(fusion_.activation, out, y);
    if (fusion_.statistics) {
      const T square = inside(ConvOperand::y, DType::f32);
      g.sum_pixels(y, operand(ConvOperand::sum));
      g.mul(y, y, square);
      g.sum_pixels(square, operand(ConvOperand::sum_squares));
    }
  }

  void dgrad() {
    OperationGraph& g = made_.graph;
    const T dy = operand(ConvOperand::y), w = operand(ConvOperand::w), dx = operand(ConvOperand::x);
    T out = fusion_.add || fusion_.relu_backward ? inside(ConvOperand::x, DType::f32) : dx;
    if (fusion_.by_forward) {
      const std::int64_t reach = problem_.geometry.dilation * (problem_.geometry.w.h - 1);
      require(problem_.geometry.w.h == problem_.geometry.w.w, "conv on cuDNN: filters are square");
      g.conv(dy, w, out, {1, reach - window_.pad, window_.dilation});
    } else {
      g.conv_dgrad(out, w, dy, window_);
    }
    if (fusion_.add) {
      const T sum = fusion_.relu_backward ? inside(ConvOperand::x, DType::f32) : dx;
      g.add(out, operand(ConvOperand::added), sum);
      out = sum;
    }
    if (fusion_.relu_backward) g.relu_backward(operand(ConvOperand::relu), out, dx);
  }

  // cuDNN writes bf16 unless something follows: the identity gives the sums as they are.
  void wgrad() {
    OperationGraph& g = made_.graph;
    const T x = operand(ConvOperand::x), dy = operand(ConvOperand::y), dw = operand(ConvOperand::w);
    if (problem_.dtype == DType::f32) return g.conv_wgrad(x, dw, dy, window_);
    const T sums = inside(ConvOperand::w, DType::f32);
    g.conv_wgrad(x, sums, dy, window_);
    g.identity(sums, dw);
  }

  const ConvProblem& problem_;
  const ConvFusion& fusion_;
  ConvWindow window_;
  ConvGraph made_;
};

}  // namespace

ConvLayout conv_layout(const ConvProblem& problem, ConvOperand operand) {
  const ConvGeometry& g = problem.geometry;
  const ConvFusion& f = problem.fusion;
  auto activations = [&](const Shape& s, std::int64_t pitch) {
    return ConvLayout{{padded(s), problem.dtype}, pitch ? pitch : padded_channels(s.c)};
  };
  if (operand == ConvOperand::w) {
    Shape w = padded_filters(g.w);
    if (f.by_forward) std::swap(w.n, w.c);
    return {{w, problem.pass == ConvPass::wgrad ? DType::f32 : problem.dtype}, w.c};
  }
  if (channelwise(operand)) {
    const bool of_x = operand == ConvOperand::scale || operand == ConvOperand::shift;
    const std::int64_t c = padded_channels(of_x ? g.x.c : g.y.c);
    return {{vector_shape(c), DType::f32}, c};
  }
  return operand == ConvOperand::y ? activations(g.y, f.y_pitch) : activations(g.x, f.x_pitch);
}

ConvGraph conv_graph(const ConvProblem& problem) { return Builder(problem).result(); }

std::string to_string(const ConvProblem& problem) {
  const auto& [pass, g, dtype, f] = problem;
  static constexpr const char *passes[] = {"forward", "dgrad", "wgrad"},
                              *activations[] = {"", " +relu", " +leaky relu", " +tanh", " +sigmoid"};
  std::string text = fmt::format("{} {}x{} s{} p{}{} {}->{} @{}x{} n{} {}", passes[static_cast<int>(pass)], g.w.h,
                                 g.w.w, g.stride, g.pad, g.dilation > 1 ? fmt::format(" d{}", g.dilation) : "", g.x.c,
                                 g.y.c, g.x.h, g.x.w, g.x.n, ipa::to_string(dtype));
  if (f.normalise) text += " normalise+";
  if (f.by_forward) text += " by forward";
  if (f.bias) text += " +bias";
  text += activations[static_cast<int>(f.activation.kind)];
  if (f.statistics) text += " +statistics";
  if (f.add) text += " +add";
  if (f.relu_backward) text += " +relu backward";
  if (f.x_pitch) text += fmt::format(" x/{}", f.x_pitch);
  if (f.y_pitch) text += fmt::format(" y/{}", f.y_pitch);
  return text;
}

std::string refusal(const EngineConfig& engine, DType dtype) {
  if (engine.has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)) return "not deterministic";
  if (dtype == DType::f32 &&
      (engine.has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE) || engine.has(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS)))
    return "TF32";
  if (engine.has(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION)) return "sums in less than f32";
  return {};
}

}  // namespace ipa::cuda
