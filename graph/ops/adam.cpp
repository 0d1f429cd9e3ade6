#include "kernels/adam.h"

#include <algorithm>

#include "graph/ops.h"

namespace ipa {
namespace {

class Adam final : public Op {
 public:
  explicit Adam(AdamAttributes a) : constants_{a.beta1, a.beta2, a.eps} {}
  std::string name() const override { return "adam"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    require(in[0] == in[1] && in[0] == in[2] && in[0] == in[3],
            "adam: parameters, moments and gradient differ in shape");
    require(in[4].shape == vector_shape(2) && in[5].shape == scalar_shape, "adam: two rates and one flag");
    return {};
  }
  Launch prepare(Device, Specs, Specs) const override {
    return {[a = constants_](const Call& c) {
      adam_step(c.stream, c.in[0], c.in[1], c.in[2], c.in[3], c.in[4], c.in[5], a);
    }};
  }
  bool mutates(int i) const override { return i < 3; }
  Cost cost(Specs in, Specs) const override {
    return {7.0 * static_cast<double>(in[0].bytes()), 12.0 * static_cast<double>(in[0].shape.elements())};
  }

 private:
  AdamConstants constants_;
};

class SquaredNorm final : public Op {
 public:
  std::string name() const override { return "squared norm"; }
  std::vector<TensorSpec> infer(Specs) const override { return {{scalar_shape}}; }
  Launch prepare(Device, Specs in, Specs) const override {
    return {[](const Call& c) { sum_of_squares(c.stream, c.out[0], c.in[0], c.workspace); },
            sum_of_squares_workspace_bytes(in[0].shape)};
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

void adam(Value parameters, Value m, Value v, Value gradient, Value rates, Value enabled, AdamAttributes attributes) {
  parameters.graph->apply(std::make_shared<const Adam>(attributes), {parameters, m, v, gradient, rates, enabled});
}

}  // namespace ipa
