// The sum of all elements, as a scalar: the simplest loss.
#pragma once

#include "graph/ops.h"

namespace ipa::test {

class Sum final : public Op {
 public:
  std::string name() const override { return "sum"; }
  std::vector<TensorSpec> infer(Specs) const override { return {{scalar_shape}}; }
  Launch prepare(Device, Specs, Specs) const override {
    return {[](const Call& c) {
      double sum = 0;
      for (std::int64_t i = 0; i < c.in[0].elements(); ++i) sum += c.in[0].f32()[i];
      c.out[0].f32()[0] = static_cast<float>(sum);
    }};
  }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>&) const override {
    return {scale(constant(*in[0].graph, in[0].shape(), 1), dout[0])};
  }
};

inline Value sum(Value x) { return apply<Sum>(*x.graph, {x}); }

}  // namespace ipa::test
