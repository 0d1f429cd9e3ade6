#include "kernels/adam.h"

#include <algorithm>

#include "graph/ops.h"

namespace ipa {
namespace {

AdamConstants constants(AdamAttributes a) { return {a.beta1, a.beta2, a.eps}; }

class AdamRates final : public Op {  // lr, updates, enabled
 public:
  explicit AdamRates(AdamAttributes a) : constants_(constants(a)) {}
  std::string name() const override { return "adam rates"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    require(in[0].shape == scalar_shape && in[1].shape == scalar_shape && in[2].shape == scalar_shape,
            "adam_rates: three scalars");
    return {{vector_shape(2)}};
  }
  Launch prepare(Device, Specs, Specs) const override {
    return {[a = constants_](const Call& c) { ipa::adam_rates(c.stream, c.out[0], c.in[1], c.in[0], c.in[2], a); }};
  }
  bool mutates(int i) const override { return i == 1; }

 private:
  AdamConstants constants_;
};

class Adam final : public Op {  // parameters, m, v, gradient, rates, enabled, copy or none
 public:
  explicit Adam(AdamAttributes a) : constants_(constants(a)) {}
  std::string name() const override { return "adam"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    require(in[0] == in[1] && in[0] == in[2] && in[0] == in[3],
            "adam: parameters, moments and gradient differ in shape");
    require(in[4].shape == vector_shape(2) && in[5].shape == scalar_shape, "adam: two rates and one flag");
    return {};
  }
  Launch prepare(Device, Specs, Specs) const override {
    return {[a = constants_](const Call& c) {
      adam_step(c.stream, c.in[0], c.in[6], c.in[1], c.in[2], c.in[3], c.in[4], c.in[5], a);
    }};
  }
  bool mutates(int i) const override { return i < 3 || i == 6; }
  Cost cost(Specs in, Specs) const override {
    return {7.0 * static_cast<double>(in[0].bytes()) + static_cast<double>(in[6].bytes()),
            12.0 * static_cast<double>(in[0].shape.elements())};
  }

 private:
  AdamConstants constants_;
};

class SquaredNorm final : public Op {
 public:
  std::string name() const override { return "squared norm"; }
  std::vector<TensorSpec> infer(Specs) const override { return {{scalar_shape}}; }
  Launch prepare(Device device, Specs in, Specs) const override {
    return {[](const Call& c) { sum_of_squares(c.stream, c.out[0], c.in[0], c.workspace); },
            sum_of_squares_workspace_bytes(device, in[0].shape)};
  }
  Cost cost(Specs in, Specs out) const override {
    return moving(in, out, 2.0 * static_cast<double>(in[0].shape.elements()));
  }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>&) const override {
    return {scale(in[0], dout[0], 2)};
  }
};

class AllFinite final : public Op {  // `previous` is the last input
 public:
  std::string name() const override { return "all finite"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    require(std::all_of(in.begin(), in.end() - 1, [](const TensorSpec& s) { return s.shape == scalar_shape; }),
            "all_finite: every input must be a scalar");
    return {{scalar_shape}};
  }
  Launch prepare(Device, Specs, Specs) const override {
    return {[](const Call& c) { check_finite(c.stream, c.out[0], c.in.first(c.in.size() - 1), c.in.back()); }};
  }
};

}  // namespace

Value squared_norm(Value x) { return apply<SquaredNorm>(*x.graph, {x}); }

Value all_finite(std::vector<Value> scalars, Value previous) {
  Graph& graph = *scalars.front().graph;
  scalars.push_back(previous);
  return apply<AllFinite>(graph, std::move(scalars));
}

Value adam_rates(Value lr, Value updates, Value enabled, AdamAttributes attributes) {
  return apply<AdamRates>(*lr.graph, {lr, updates, enabled}, attributes);
}

void adam(Value parameters, Value m, Value v, Value gradient, Value rates, Value enabled, AdamAttributes attributes,
          Value copy) {
  parameters.graph->apply(std::make_shared<const Adam>(attributes), {parameters, m, v, gradient, rates, enabled, copy});
}

}  // namespace ipa
