#include "graph/op.h"

#include <fmt/core.h>

namespace ipa {

std::vector<Value> Op::vjp(Values, Values, Values, const std::vector<bool>&) const {
  fail(ErrorKind::internal, fmt::format("{}: has no gradient", name()));
}

Cost Op::cost(Specs in, Specs out) const { return moving(in, out, 0); }

Cost Op::moving(Specs in, Specs out, double flops) const {
  Cost cost{0, flops};
  for (const TensorSpec& s : in) cost.bytes += static_cast<double>(s.bytes());
  for (const TensorSpec& s : out) cost.bytes += static_cast<double>(s.bytes());
  return cost;
}

}  // namespace ipa
