#include "graph/ops/pointwise.h"

#include "graph/ops.h"
#include "kernels/pointwise.h"

namespace ipa {
namespace {

class Constant final : public Op {
 public:
  Constant(const TensorSpec& spec, float value) : spec_(spec), value_(value) {}
  std::string name() const override { return "constant"; }
  std::vector<TensorSpec> infer(Specs) const override { return {spec_}; }
  Launch prepare(Device, Specs, Specs) const override {
    return {[value = value_](const Call& c) { fill_tensor(c.stream, c.out[0], value); }};
  }

 private:
  TensorSpec spec_;
  float value_;
};

// Ops of one or two equal inputs and an output of the same shape, which may take over the first input's memory; one
// FLOP an element.
class Pointwise : public Op {
 public:
  std::vector<TensorSpec> infer(Specs in) const override { return {in[0]}; }
  bool in_place(int i, int) const override { return i == 0; }
  Cost cost(Specs in, Specs out) const override {
    return moving(in, out, static_cast<double>(out[0].shape.elements()));
  }
};

class ActivationGradient final : public Pointwise {
 public:
  explicit ActivationGradient(Activation a) : a_(a) {}
  std::string name() const override { return "activation gradient"; }
  Launch prepare(Device, Specs, Specs) const override {
    return {[a = a_](const Call& c) { activation_backward(c.stream, c.out[0], c.in[0], c.in[1], a); }};
  }

 private:
  Activation a_;
};

class ActivationOp final : public Pointwise {
 public:
  explicit ActivationOp(Activation a) : a_(a) {}
  std::string name() const override { return "activation"; }
  Launch prepare(Device, Specs, Specs) const override {
    return {[a = a_](const Call& c) { activation_forward(c.stream, c.out[0], c.in[0], a); }};
  }
  std::vector<Value> vjp(Values, Values out, Values dout, const std::vector<bool>&) const override {
    return {activation_gradient(dout[0], out[0], a_)};
  }

 private:
  Activation a_;
};

class Add final : public Pointwise {
 public:
  std::string name() const override { return "add"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    require(in[0] == in[1], "add: shapes differ");
    return {in[0]};
  }
  Launch prepare(Device, Specs, Specs) const override {
    return {[](const Call& c) { add_tensors(c.stream, c.out[0], c.in[0], c.in[1]); }};
  }
  std::vector<Value> vjp(Values, Values, Values dout, const std::vector<bool>&) const override {
    return {dout[0], dout[0]};
  }
  bool in_place(int, int) const override { return true; }
};

class ClipGradient final : public Pointwise {
 public:
  ClipGradient(float low, float high) : low_(low), high_(high) {}
  std::string name() const override { return "clip gradient"; }
  Launch prepare(Device, Specs, Specs) const override {
    return {
        [low = low_, high = high_](const Call& c) { clip_backward(c.stream, c.out[0], c.in[0], c.in[1], low, high); }};
  }

 private:
  float low_, high_;
};

class Clip final : public Pointwise {
 public:
  Clip(float low, float high) : low_(low), high_(high) {}
  std::string name() const override { return "clip"; }
  Launch prepare(Device, Specs, Specs) const override {
    return {[low = low_, high = high_](const Call& c) { clip_forward(c.stream, c.out[0], c.in[0], low, high); }};
  }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>&) const override {
    return {apply<ClipGradient>(*in[0].graph, {dout[0], in[0]}, low_, high_)};
  }

 private:
  float low_, high_;
};

class Scale final : public Pointwise {
 public:
  explicit Scale(float constant) : constant_(constant) {}
  std::string name() const override { return "scale"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    require(in[1].shape == scalar_shape, "scale: the factor must be a scalar");
    return {in[0]};
  }
  Launch prepare(Device, Specs, Specs) const override {
    return {[constant = constant_](const Call& c) { scale_tensor(c.stream, c.out[0], c.in[0], c.in[1], constant); }};
  }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>& needs) const override {
    require(!needs[1], "scale: no gradient with respect to the factor");
    return {scale(dout[0], in[1], constant_), Value{}};
  }

 private:
  float constant_;
};

}  // namespace

bool is_addition(const Op& op) { return dynamic_cast<const Add*>(&op) != nullptr; }

Value constant(Graph& graph, const TensorSpec& spec, float value) { return apply<Constant>(graph, {}, spec, value); }
Value activation(Value x, Activation a) {
  return a.kind == Activation::Kind::none ? x : apply<ActivationOp>(*x.graph, {x}, a);
}
Value activation_gradient(Value dy, Value y, Activation a) {
  return a.kind == Activation::Kind::none ? dy : apply<ActivationGradient>(*dy.graph, {dy, y}, a);
}
Value add(Value a, Value b) { return apply<Add>(*a.graph, {a, b}); }
Value clip(Value x, float low, float high) { return apply<Clip>(*x.graph, {x}, low, high); }
Value scale(Value x, Value factor, float constant) { return apply<Scale>(*x.graph, {x, factor}, constant); }

}  // namespace ipa
