#include "kernels/losses.h"

#include "graph/ops.h"

namespace ipa {
namespace {

// A gradient has the shape of its first input.
class LossGradient : public Op {
 public:
  std::vector<TensorSpec> infer(Specs in) const override { return {in[0]}; }
  bool in_place(int i, int) const override { return i == 0; }
};

class BceGradient final : public LossGradient {
 public:
  explicit BceGradient(float target) : target_(target) {}
  std::string name() const override { return "bce gradient"; }
  Launch prepare(Device, Specs, Specs) const override {
    return {
        [target = target_](const Call& c) { bce_with_logits_backward(c.stream, c.out[0], c.in[0], c.in[1], target); }};
  }

 private:
  float target_;
};

class Bce final : public Op {
 public:
  explicit Bce(float target) : target_(target) {}
  std::string name() const override { return "bce with logits"; }
  std::vector<TensorSpec> infer(Specs) const override { return {{scalar_shape}}; }
  Launch prepare(Device, Specs in, Specs) const override {
    return {[target = target_](const Call& c) {
              bce_with_logits_forward(c.stream, c.out[0], c.in[0], target, c.workspace);
            },
            loss_workspace_bytes(in[0].shape)};
  }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>&) const override {
    return {apply<BceGradient>(*in[0].graph, {in[0], dout[0]}, target_)};
  }

 private:
  float target_;
};

class L1Gradient final : public LossGradient {
 public:
  std::string name() const override { return "l1 gradient"; }
  Launch prepare(Device, Specs, Specs) const override {
    return {[](const Call& c) { l1_backward(c.stream, c.out[0], c.in[0], c.in[1], c.in[2]); }};
  }
};

class L1 final : public Op {
 public:
  std::string name() const override { return "l1 loss"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    require(in[0] == in[1], "l1_loss: shapes differ");
    return {{scalar_shape}};
  }
  Launch prepare(Device, Specs in, Specs) const override {
    return {[](const Call& c) { l1_forward(c.stream, c.out[0], c.in[0], c.in[1], c.workspace); },
            loss_workspace_bytes(in[0].shape)};
  }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>& needs) const override {
    Graph& graph = *in[0].graph;
    return {needs[0] ? apply<L1Gradient>(graph, {in[0], in[1], dout[0]}) : Value{},
            needs[1] ? apply<L1Gradient>(graph, {in[1], in[0], dout[0]}) : Value{}};
  }
};

class MaskedL1Gradient final : public LossGradient {
 public:
  std::string name() const override { return "masked l1 gradient"; }
  Launch prepare(Device, Specs, Specs) const override {
    return {[](const Call& c) { masked_l1_backward(c.stream, c.out[0], c.in[0], c.in[1], c.in[2], c.in[3], c.in[4]); }};
  }
};

class MaskedL1 final : public Op {
 public:
  std::string name() const override { return "masked l1 loss"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    const Shape& s = in[0].shape;
    require(in[0] == in[1] && in[2].shape == Shape{s.n, s.h, s.w, 1}, "masked_l1_loss: shapes differ");
    return {{scalar_shape}, {{s.n, 1, 1, 1}}};
  }
  Launch prepare(Device, Specs in, Specs) const override {
    return {
        [](const Call& c) { masked_l1_forward(c.stream, c.out[0], c.out[1], c.in[0], c.in[1], c.in[2], c.workspace); },
        loss_workspace_bytes(in[0].shape)};
  }
  std::vector<Value> vjp(Values in, Values out, Values dout, const std::vector<bool>& needs) const override {
    require(!needs[2], "masked_l1_loss: no gradient with respect to the mask");
    Graph& graph = *in[0].graph;
    return {needs[0] ? apply<MaskedL1Gradient>(graph, {in[0], in[1], in[2], out[1], dout[0]}) : Value{},
            needs[1] ? apply<MaskedL1Gradient>(graph, {in[1], in[0], in[2], out[1], dout[0]}) : Value{}, Value{}};
  }
};

class WeightedSumGradient final : public Op {
 public:
  explicit WeightedSumGradient(int term) : term_(term) {}
  std::string name() const override { return "weighted sum gradient"; }
  std::vector<TensorSpec> infer(Specs) const override { return {{scalar_shape}}; }
  Launch prepare(Device, Specs, Specs) const override {
    return {[term = term_](const Call& c) { weighted_sum_backward(c.stream, c.out[0], c.in[0], c.in[1], term); }};
  }

 private:
  int term_;
};

class WeightedSum final : public Op {  // the weights are the last input
 public:
  std::string name() const override { return "weighted sum"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    const auto terms = in.size() - 1;
    for (const TensorSpec& s : in.first(terms))
      require(s.shape == scalar_shape, "weighted_sum: every term must be a scalar");
    require(in[terms].shape == vector_shape(static_cast<std::int64_t>(terms)), "weighted_sum: one weight per term");
    return {{scalar_shape}};
  }
  Launch prepare(Device, Specs, Specs) const override {
    return {[](const Call& c) { weighted_sum_forward(c.stream, c.out[0], c.in.first(c.in.size() - 1), c.in.back()); }};
  }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>& needs) const override {
    require(!needs.back(), "weighted_sum: no gradient with respect to the weights");
    std::vector<Value> din(in.size());
    for (std::size_t i = 0; i + 1 < in.size(); ++i)
      if (needs[i]) din[i] = apply<WeightedSumGradient>(*in[0].graph, {in.back(), dout[0]}, static_cast<int>(i));
    return din;
  }
};

class VggInputGradient final : public Op {
 public:
  std::string name() const override { return "vgg input gradient"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    const Shape& s = in[0].shape;
    return {{{s.n, s.h, s.w, 1}, in[0].dtype}};
  }
  Launch prepare(Device, Specs, Specs) const override {
    return {[](const Call& c) { vgg_input_backward(c.stream, c.out[0], c.in[0]); }};
  }
};

class VggInput final : public Op {
 public:
  std::string name() const override { return "vgg input"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    const Shape& s = in[0].shape;
    require(s.c == 1, "vgg_input: the image must have one channel");
    return {{{s.n, s.h, s.w, 3}, in[0].dtype}};
  }
  Launch prepare(Device, Specs, Specs) const override {
    return {[](const Call& c) { vgg_input_forward(c.stream, c.out[0], c.in[0]); }};
  }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>&) const override {
    return {apply<VggInputGradient>(*in[0].graph, {dout[0]})};
  }
};

}  // namespace

Value bce_with_logits(Value logits, float target) { return apply<Bce>(*logits.graph, {logits}, target); }
Value l1_loss(Value a, Value b) { return apply<L1>(*a.graph, {a, b}); }
Value masked_l1_loss(Value a, Value b, Value mask) { return apply<MaskedL1>(*a.graph, {a, b, mask}); }
Value weighted_sum(std::vector<Value> terms, Value weights) {
  terms.push_back(weights);
  return apply<WeightedSum>(*weights.graph, std::move(terms));
}
Value vgg_input(Value x) { return apply<VggInput>(*x.graph, {x}); }

}  // namespace ipa
