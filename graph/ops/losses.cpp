#include "kernels/losses.h"

#include <algorithm>

#include "graph/ops.h"

namespace ipa {
namespace {

double elements(const TensorSpec& s) { return static_cast<double>(s.shape.elements()); }

// A gradient has the shape of its first input.
class LossGradient : public Op {
 public:
  std::vector<TensorSpec> infer(Specs in) const override { return {in[0]}; }
  bool in_place(int i, int) const override { return i == 0; }
  Cost cost(Specs in, Specs out) const override { return moving(in, out, 3 * elements(in[0])); }
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
  Launch prepare(Device device, Specs in, Specs) const override {
    return {[target = target_](const Call& c) {
              bce_with_logits_forward(c.stream, c.out[0], c.in[0], target, c.workspace);
            },
            bce_with_logits_workspace_bytes(device, in[0].shape)};
  }
  Cost cost(Specs in, Specs out) const override { return moving(in, out, 6 * elements(in[0])); }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>&) const override {
    return {apply<BceGradient>(*in[0].graph, {in[0], dout[0]}, target_)};
  }

 private:
  float target_;
};

// The inputs of list k of `lists` equal ones that stand one behind another: tensors, others to compare them with, ...
template <class T>
std::span<const T> list_of(std::span<const T> all, std::size_t lists, std::size_t k) {
  return all.subspan(all.size() / lists * k, all.size() / lists);
}

class L1Gradient final : public Op {  // a.., b.., dloss.. -> da..
 public:
  std::string name() const override { return "l1 gradient"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    const Specs a = list_of(in, 3, 0);
    return {a.begin(), a.end()};
  }
  Launch prepare(Device, Specs, Specs) const override {
    return {[](const Call& c) {
      l1_backward(c.stream, c.out, list_of(c.in, 3, 0), list_of(c.in, 3, 1), list_of(c.in, 3, 2));
    }};
  }
  bool in_place(int i, int o) const override { return i == o; }
  Cost cost(Specs in, Specs out) const override {
    double all = 0;
    for (const TensorSpec& a : list_of(in, 3, 0)) all += elements(a);
    return moving(in, out, 2 * all);
  }
};

class L1 final : public Op {  // a.., b.. -> losses..
 public:
  std::string name() const override { return "l1 loss"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    const Specs a = list_of(in, 2, 0), b = list_of(in, 2, 1);
    require(std::equal(a.begin(), a.end(), b.begin()), "l1_losses: shapes differ");
    return std::vector<TensorSpec>(a.size(), {scalar_shape});
  }
  Launch prepare(Device device, Specs in, Specs) const override {
    return {[](const Call& c) { l1_forward(c.stream, c.out, list_of(c.in, 2, 0), list_of(c.in, 2, 1), c.workspace); },
            l1_workspace_bytes(device, list_of(in, 2, 0))};
  }
  Cost cost(Specs in, Specs out) const override {
    double all = 0;
    for (const TensorSpec& a : list_of(in, 2, 0)) all += elements(a);
    return moving(in, out, 3 * all);
  }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>& needs) const override {
    const std::size_t count = in.size() / 2;
    std::vector<std::size_t> asked;  // inputs; the other one of the pair of input i is input (i + count) % (2 count)
    std::vector<Value> a, b, dloss;
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (!needs[i] || !dout[i % count]) continue;
      asked.push_back(i);
      a.push_back(in[i]);
      b.push_back(in[(i + count) % in.size()]);
      dloss.push_back(dout[i % count]);
    }
    a.insert(a.end(), b.begin(), b.end());
    a.insert(a.end(), dloss.begin(), dloss.end());
    const std::vector<Value> d = in[0].graph->apply(std::make_shared<const L1Gradient>(), std::move(a));
    std::vector<Value> din(in.size());
    for (std::size_t k = 0; k < asked.size(); ++k) din[asked[k]] = d[k];
    return din;
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
  Launch prepare(Device device, Specs in, Specs) const override {
    return {
        [](const Call& c) { masked_l1_forward(c.stream, c.out[0], c.out[1], c.in[0], c.in[1], c.in[2], c.workspace); },
        masked_l1_workspace_bytes(device, in[0].shape)};
  }
  Cost cost(Specs in, Specs out) const override { return moving(in, out, 4 * elements(in[0])); }
  std::vector<Value> vjp(Values in, Values out, Values dout, const std::vector<bool>& needs) const override {
    require(!needs[2], "masked_l1_loss: no gradient with respect to the mask");
    Graph& graph = *in[0].graph;
    return {needs[0] ? apply<MaskedL1Gradient>(graph, {in[0], in[1], in[2], out[1], dout[0]}) : Value{},
            needs[1] ? apply<MaskedL1Gradient>(graph, {in[1], in[0], in[2], out[1], dout[0]}) : Value{}, Value{}};
  }
};

class WeightedSumGradient final : public Op {  // weights, dsum -> the gradient of every term
 public:
  std::string name() const override { return "weighted sum gradient"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    return std::vector<TensorSpec>(static_cast<std::size_t>(in[0].shape.c), {scalar_shape});
  }
  Launch prepare(Device, Specs, Specs) const override {
    return {[](const Call& c) { weighted_sum_backward(c.stream, c.out, c.in[0], c.in[1]); }};
  }
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
    std::vector<Value> din = in[0].graph->apply(std::make_shared<const WeightedSumGradient>(), {in.back(), dout[0]});
    din.emplace_back();
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
std::vector<Value> l1_losses(std::vector<Value> a, const std::vector<Value>& b) {
  require(!a.empty() && a.size() == b.size(), "l1_losses: as many on either side, at least one");
  Graph& graph = *a[0].graph;
  a.insert(a.end(), b.begin(), b.end());
  return graph.apply(std::make_shared<const L1>(), std::move(a));
}
Value l1_loss(Value a, Value b) { return l1_losses({a}, {b}).front(); }
Value masked_l1_loss(Value a, Value b, Value mask) { return apply<MaskedL1>(*a.graph, {a, b, mask}); }
Value weighted_sum(std::vector<Value> terms, Value weights) {
  terms.push_back(weights);
  return apply<WeightedSum>(*weights.graph, std::move(terms));
}
Value vgg_input(Value x) { return apply<VggInput>(*x.graph, {x}); }

}  // namespace ipa
