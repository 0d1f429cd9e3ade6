#include "kernels/gram.h"

#include "graph/ops.h"

namespace ipa {
namespace {

TensorSpec gram_spec(const Shape& x) { return {{x.n, 1, x.c, x.c}}; }

// What the ops share: their cost, that of `products` matrix products.
class GramOp : public Op {
 public:
  explicit GramOp(int products) : products_(products) {}
  Cost cost(Specs in, Specs out) const override {
    return moving(in, out,
                  2.0 * products_ * static_cast<double>(in[0].shape.elements()) * static_cast<double>(in[0].shape.c));
  }

 private:
  int products_;
};

class GramGradient final : public GramOp {
 public:
  GramGradient() : GramOp(1) {}
  std::string name() const override { return "gram gradient"; }
  std::vector<TensorSpec> infer(Specs in) const override { return {in[0]}; }
  Launch prepare(Device device, Specs in, Specs) const override {
    auto p = prepare_gram_backward(device, in[0].shape, in[0].dtype);
    return {[run = std::move(p.run)](const Call& c) { run(c.stream, c.out[0], c.in[0], c.in[1], c.workspace); },
            p.workspace_bytes, std::move(p.ready)};
  }
};

class Gram final : public GramOp {
 public:
  Gram() : GramOp(1) {}
  std::string name() const override { return "gram"; }
  std::vector<TensorSpec> infer(Specs in) const override { return {gram_spec(in[0].shape)}; }
  Launch prepare(Device device, Specs in, Specs) const override {
    auto p = prepare_gram(device, in[0].shape, in[0].dtype);
    return {[run = std::move(p.run)](const Call& c) { run(c.stream, c.out[0], c.in[0], c.workspace); },
            p.workspace_bytes, std::move(p.ready)};
  }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>&) const override {
    return {apply<GramGradient>(*in[0].graph, {in[0], dout[0]})};
  }
};

class StyleLossGradient final : public GramOp {
 public:
  StyleLossGradient() : GramOp(1) {}
  std::string name() const override { return "style loss gradient"; }
  std::vector<TensorSpec> infer(Specs in) const override { return {in[0]}; }
  Launch prepare(Device device, Specs in, Specs) const override {
    auto p = prepare_style_loss_backward(device, in[0].shape, in[0].dtype);
    return {
        [run = std::move(p.run)](const Call& c) { run(c.stream, c.out[0], c.in[0], c.in[1], c.in[2], c.workspace); },
        p.workspace_bytes, std::move(p.ready)};
  }
};

class StyleLoss final : public GramOp {  // outputs the loss and the difference of the Gram matrices
 public:
  StyleLoss() : GramOp(2) {}
  std::string name() const override { return "style loss"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    require(in[0] == in[1], "style_loss: shapes or types differ");
    return {{scalar_shape}, gram_spec(in[0].shape)};
  }
  Launch prepare(Device device, Specs in, Specs) const override {
    auto p = prepare_style_loss(device, in[0].shape, in[0].dtype);
    return {
        [run = std::move(p.run)](const Call& c) { run(c.stream, c.out[0], c.out[1], c.in[0], c.in[1], c.workspace); },
        p.workspace_bytes, std::move(p.ready)};
  }
  std::vector<Value> vjp(Values in, Values out, Values dout, const std::vector<bool>& needs) const override {
    return {needs[0] ? apply<StyleLossGradient>(*in[0].graph, {in[0], out[1], dout[0]}) : Value{}, Value{}};
  }
};

}  // namespace

Value gram(Value x) { return apply<Gram>(*x.graph, {x}); }
Value style_loss(Value x, Value target) { return apply<StyleLoss>(*x.graph, {x, target}); }

}  // namespace ipa
