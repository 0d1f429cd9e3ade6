#include "kernels/conv_problem.h"

#include <fmt/core.h>

namespace ipa::cuda {
namespace {

Shape padded(const Shape& s) { return {s.n, s.h, s.w, padded_channels(s.c)}; }
Shape padded_filters(const Shape& s) { return {padded_channels(s.n), s.h, s.w, padded_channels(s.c)}; }
bool channelwise(ConvOperand o) { return o >= ConvOperand::bias && o <= ConvOperand::sum_squares; }

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

std::vector<ConvOperand> conv_operands(const ConvProblem& problem) {
  const ConvFusion& f = problem.fusion;
  std::vector<ConvOperand> all{ConvOperand::x, ConvOperand::w, ConvOperand::y};
  if (f.bias) all.push_back(ConvOperand::bias);
  if (f.normalise) all.push_back(ConvOperand::scale), all.push_back(ConvOperand::shift);
  if (f.statistics) all.push_back(ConvOperand::sum), all.push_back(ConvOperand::sum_squares);
  if (f.add) all.push_back(ConvOperand::added);
  if (f.relu_backward) all.push_back(ConvOperand::relu);
  return all;
}

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
  if (f.statistics) text += f.any_order ? " +statistics in any order" : " +statistics";
  if (f.add) text += " +add";
  if (f.relu_backward) text += " +relu backward";
  if (f.x_pitch) text += fmt::format(" x/{}", f.x_pitch);
  if (f.y_pitch) text += fmt::format(" y/{}", f.y_pitch);
  return text;
}

}  // namespace ipa::cuda
