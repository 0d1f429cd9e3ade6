#include "kernels/bias.h"

#include "graph/ops.h"

namespace ipa {
namespace {

class AddBias final : public Op {
 public:
  std::string name() const override { return "add bias"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    require(in[1].shape == vector_shape(in[0].shape.c), "add_bias: the bias must have one element per channel");
    return {in[0]};
  }
  Launch prepare(Device, Specs, Specs) const override {
    return {[](const Call& c) { add_bias_forward(c.stream, c.out[0], c.in[0], c.in[1]); }};
  }
  std::vector<Value> vjp(Values, Values, Values dout, const std::vector<bool>& needs) const override {
    return {dout[0], needs[1] ? sum_pixels(dout[0]) : Value{}};
  }
  bool in_place(int i, int) const override { return i == 0; }
  bool pitched_output(int) const override { return true; }
  Cost cost(Specs in, Specs out) const override { return moving(in, out, static_cast<double>(in[0].shape.elements())); }
};

class SumPixels final : public Op {
 public:
  std::string name() const override { return "sum pixels"; }
  std::vector<TensorSpec> infer(Specs in) const override { return {{vector_shape(in[0].shape.c)}}; }
  Launch prepare(Device device, Specs in, Specs) const override {
    return {[](const Call& c) { sum_over_pixels(c.stream, c.out[0], c.in[0], c.workspace); },
            sum_over_pixels_workspace_bytes(device, in[0].shape)};
  }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>&) const override {
    return {add_bias(constant(*in[0].graph, in[0].spec(), 0), dout[0])};
  }
  bool pitched_input(int, Device, Specs) const override { return true; }
  Cost cost(Specs in, Specs out) const override { return moving(in, out, static_cast<double>(in[0].shape.elements())); }
};

}  // namespace

Value add_bias(Value x, Value bias) { return bias ? apply<AddBias>(*x.graph, {x, bias}) : x; }
Value sum_pixels(Value x) { return apply<SumPixels>(*x.graph, {x}); }

}  // namespace ipa
