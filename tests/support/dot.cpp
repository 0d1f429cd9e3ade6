#include "tests/support/dot.h"

#include "graph/ops.h"

namespace ipa::test {
namespace {

class Dot final : public Op {
 public:
  std::string name() const override { return "dot"; }
  std::vector<TensorSpec> infer(Specs) const override { return {{scalar_shape}}; }
  Launch prepare(Device, Specs, Specs) const override {
    return {[](const Call& c) {
      double sum = 0;
      for (std::int64_t i = 0; i < c.in[0].elements(); ++i) sum += double{c.in[0].f32()[i]} * c.in[1].f32()[i];
      c.out[0].f32()[0] = static_cast<float>(sum);
    }};
  }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>&) const override {
    return {scale(in[1], dout[0]), Value{}};
  }
};

}  // namespace

Value dot(Value x, Value weights) { return apply<Dot>(*x.graph, {x, weights}); }

}  // namespace ipa::test
