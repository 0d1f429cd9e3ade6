#include "graph/ops/conv.h"

#include <fmt/core.h>

#include "graph/ops.h"
#include "kernels/channel_sums.h"

namespace ipa {
namespace {

// What the three ops share: geometry, name and cost.
class ConvOp : public Op {
 public:
  explicit ConvOp(ConvAttributes attributes) : attributes_(attributes) {
    require(attributes.stride >= 1 && attributes.pad >= 0 && attributes.dilation >= 1,
            "conv: stride and dilation must be at least 1, padding at least 0");
  }
  virtual ConvDescription describe(Specs in, Specs out) const = 0;

 protected:
  std::string label(const char* kind) const {
    const auto& [stride, pad, dilation] = attributes_;
    return fmt::format("{} s{} p{}", kind, stride, pad) + (dilation > 1 ? fmt::format(" d{}", dilation) : "");
  }
  Shape output(const Shape& x, const Shape& w) const {
    auto extent = [&](std::int64_t size, std::int64_t kernel) {
      return conv_extent(size, kernel, attributes_.stride, attributes_.pad, attributes_.dilation);
    };
    return {x.n, extent(x.h, w.h), extent(x.w, w.w), w.n};
  }
  ConvGeometry geometry(const Shape& x, const Shape& w, const Shape& y) const {
    return {x, w, y, attributes_.stride, attributes_.pad, attributes_.dilation};
  }
  void check(const Shape& x, const Shape& w, const Shape& y) const {
    if (x.c == w.c && output(x, w) == y && y.elements() > 0) return;
    fail(ErrorKind::internal,
         fmt::format("{}: x {} and weights {} do not give {}", name(), to_string(x), to_string(w), to_string(y)));
  }
  Cost cost_of(Specs in, Specs out, const Shape& w, const Shape& y) const {
    return moving(in, out, 2.0 * static_cast<double>(y.elements()) * static_cast<double>(w.h * w.w * w.c));
  }

  ConvAttributes attributes_;
};

class Conv final : public ConvOp {
 public:
  Conv(ConvAttributes attributes, Activation a) : ConvOp(attributes), a_(a) {}
  std::string name() const override { return label("conv"); }
  std::vector<TensorSpec> infer(Specs in) const override {
    const Shape y = output(in[0].shape, in[1].shape);
    check(in[0].shape, in[1].shape, y);
    require(in[2].shape.c == 0 || in[2].shape == vector_shape(y.c), "conv: the bias must have one element per channel");
    return {{y, in[0].dtype}};
  }
  ConvDescription describe(Specs in, Specs out) const override {
    return {ConvPass::forward, geometry(in[0].shape, in[1].shape, out[0].shape), in[2].shape.c > 0, a_};
  }
  Launch prepare(Device device, Specs in, Specs out) const override {
    auto p = prepare_conv(device, geometry(in[0].shape, in[1].shape, out[0].shape), in[0].dtype, in[2].shape.c > 0, a_);
    return {
        [run = std::move(p.run)](const Call& c) { run(c.stream, c.out[0], c.in[0], c.in[1], c.in[2], c.workspace); },
        p.workspace_bytes, std::move(p.ready)};
  }
  std::vector<Value> vjp(Values in, Values out, Values dout, const std::vector<bool>& needs) const override {
    const Value dz = activation_gradient(dout[0], out[0], a_);
    return {needs[0] ? conv_dgrad(dz, in[1], in[0].shape(), attributes_) : Value{},
            needs[1] ? conv_wgrad(in[0], dz, in[1].shape(), attributes_) : Value{},
            needs[2] ? sum_pixels(dz) : Value{}};
  }
  bool pitched_input(int i, Device device, Specs in) const override {
    return i == 0 && conv_takes_pitch(ConvPass::forward, device,
                                      geometry(in[0].shape, in[1].shape, output(in[0].shape, in[1].shape)));
  }
  Cost cost(Specs in, Specs out) const override { return cost_of(in, out, in[1].shape, out[0].shape); }
  OpPtr with_statistics(Specs in) const;

 private:
  Activation a_;
};

// x, w and none -> y, sums
class ConvStatistics final : public ConvOp {
 public:
  explicit ConvStatistics(ConvAttributes attributes) : ConvOp(attributes) {}
  std::string name() const override { return label("conv") + " + sums"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    const Shape y = output(in[0].shape, in[1].shape);
    check(in[0].shape, in[1].shape, y);
    return {{y, in[0].dtype}, {channel_sums_shape(y.c)}};
  }
  ConvDescription describe(Specs in, Specs out) const override {
    return {
        .pass = ConvPass::forward, .geometry = geometry(in[0].shape, in[1].shape, out[0].shape), .statistics = true};
  }
  Launch prepare(Device device, Specs in, Specs out) const override {
    auto p = prepare_conv_statistics(device, geometry(in[0].shape, in[1].shape, out[0].shape), in[0].dtype);
    return {
        [run = std::move(p.run)](const Call& c) { run(c.stream, c.out[0], c.out[1], c.in[0], c.in[1], c.workspace); },
        p.workspace_bytes, std::move(p.ready)};
  }
  Cost cost(Specs in, Specs out) const override { return cost_of(in, out, in[1].shape, out[0].shape); }
};

OpPtr Conv::with_statistics(Specs in) const {
  if (in[2].shape.c > 0 || a_.kind != Activation::Kind::none) return {};
  return std::make_shared<const ConvStatistics>(attributes_);
}

class ConvDgrad final : public ConvOp {
 public:
  ConvDgrad(const Shape& x, ConvAttributes attributes) : ConvOp(attributes), x_(x) {}
  std::string name() const override { return label("conv dgrad"); }
  std::vector<TensorSpec> infer(Specs in) const override {
    check(x_, in[1].shape, in[0].shape);
    return {{x_, in[0].dtype}};
  }
  ConvDescription describe(Specs in, Specs) const override {
    return {ConvPass::dgrad, geometry(x_, in[1].shape, in[0].shape)};
  }
  Launch prepare(Device device, Specs in, Specs) const override {
    auto p = prepare_conv_dgrad(device, geometry(x_, in[1].shape, in[0].shape), in[0].dtype);
    return {[run = std::move(p.run)](const Call& c) { run(c.stream, c.out[0], c.in[0], c.in[1], c.workspace); },
            p.workspace_bytes, std::move(p.ready)};
  }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>& needs) const override {
    return {needs[0] ? conv(dout[0], in[1], {}, attributes_) : Value{},
            needs[1] ? conv_wgrad(dout[0], in[0], in[1].shape(), attributes_) : Value{}};
  }
  Cost cost(Specs in, Specs out) const override { return cost_of(in, out, in[1].shape, in[0].shape); }
  OpPtr with_addition(Device device, Specs in) const;

 private:
  Shape x_;
};

// dy, w, added -> dx + added
class ConvDgradAddition final : public ConvOp {
 public:
  ConvDgradAddition(const Shape& x, ConvAttributes attributes, bool in_place)
      : ConvOp(attributes), x_(x), in_place_(in_place) {}
  std::string name() const override { return label("conv dgrad") + " + add"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    check(x_, in[1].shape, in[0].shape);
    require(in[2] == TensorSpec{x_, in[0].dtype}, "conv dgrad: what is added has another shape");
    return {in[2]};
  }
  ConvDescription describe(Specs in, Specs) const override {
    return {.pass = ConvPass::dgrad, .geometry = geometry(x_, in[1].shape, in[0].shape), .add = true};
  }
  Launch prepare(Device device, Specs in, Specs) const override {
    auto p = prepare_conv_dgrad_add(device, geometry(x_, in[1].shape, in[0].shape), in[0].dtype);
    return {
        [run = std::move(p.run)](const Call& c) { run(c.stream, c.out[0], c.in[0], c.in[1], c.in[2], c.workspace); },
        p.workspace_bytes, std::move(p.ready)};
  }
  bool in_place(int i, int) const override { return i == 2 && in_place_; }
  Cost cost(Specs in, Specs out) const override { return cost_of(in, out, in[1].shape, in[0].shape); }

 private:
  Shape x_;
  bool in_place_;
};

OpPtr ConvDgrad::with_addition(Device device, Specs in) const {
  if (!dgrad_takes_addition(device, geometry(x_, in[1].shape, in[0].shape))) return {};
  return std::make_shared<const ConvDgradAddition>(x_, attributes_, device.is_cpu());  // conv.h: not on CUDA
}

class ConvWgrad final : public ConvOp {
 public:
  ConvWgrad(const Shape& w, ConvAttributes attributes) : ConvOp(attributes), w_(w) {}
  std::string name() const override { return label("conv wgrad"); }
  std::vector<TensorSpec> infer(Specs in) const override {
    check(in[0].shape, w_, in[1].shape);
    return {{.shape = w_, .filter = true}};  // fp32 whatever the operands are
  }
  ConvDescription describe(Specs in, Specs) const override {
    return {ConvPass::wgrad, geometry(in[0].shape, w_, in[1].shape)};
  }
  Launch prepare(Device device, Specs in, Specs) const override {
    auto p = prepare_conv_wgrad(device, geometry(in[0].shape, w_, in[1].shape), in[0].dtype);
    return {[run = std::move(p.run)](const Call& c) { run(c.stream, c.out[0], c.in[0], c.in[1], c.workspace); },
            p.workspace_bytes, std::move(p.ready)};
  }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>& needs) const override {
    return {needs[0] ? conv_dgrad(in[1], dout[0], in[0].shape(), attributes_) : Value{},
            needs[1] ? conv(in[0], dout[0], {}, attributes_) : Value{}};
  }
  bool pitched_input(int i, Device device, Specs in) const override {
    return i == 0 && conv_takes_pitch(ConvPass::wgrad, device, geometry(in[0].shape, w_, in[1].shape));
  }
  Cost cost(Specs in, Specs out) const override { return cost_of(in, out, w_, in[1].shape); }

 private:
  Shape w_;
};

}  // namespace

std::optional<ConvDescription> describe_conv(const Graph& graph, const Graph::Node& node) {
  const auto* op = dynamic_cast<const ConvOp*>(node.op.get());
  if (!op) return {};
  return op->describe(graph.specs(node.inputs), graph.specs(node.outputs));
}

OpPtr with_addition(const Op& op, Device device, Specs in) {
  const auto* dgrad = dynamic_cast<const ConvDgrad*>(&op);
  return dgrad ? dgrad->with_addition(device, in) : OpPtr{};
}

OpPtr with_statistics(const Op& op, Specs in) {
  const auto* conv = dynamic_cast<const Conv*>(&op);
  return conv ? conv->with_statistics(in) : OpPtr{};
}

Value conv(Value x, Value w, Value bias, ConvAttributes attributes, Activation a) {
  return apply<Conv>(*x.graph, {x, w, bias}, attributes, a);
}
Value conv_dgrad(Value dy, Value w, const Shape& x_shape, ConvAttributes attributes) {
  return apply<ConvDgrad>(*dy.graph, {dy, w}, x_shape, attributes);
}
Value conv_wgrad(Value x, Value dy, const Shape& w_shape, ConvAttributes attributes) {
  return apply<ConvWgrad>(*x.graph, {x, dy}, w_shape, attributes);
}
Value conv_transpose(Value x, Value w, Value bias, ConvAttributes attributes) {
  const Shape &in = x.shape(), &k = w.shape();
  auto extent = [&](std::int64_t size, std::int64_t kernel) {
    return (size - 1) * attributes.stride - 2 * attributes.pad + attributes.dilation * (kernel - 1) + 1;
  };
  return add_bias(conv_dgrad(x, w, {in.n, extent(in.h, k.h), extent(in.w, k.w), k.c}, attributes), bias);
}

}  // namespace ipa
