#include "graph/cost.h"

namespace ipa {
namespace {

// A spec of as many elements as `s` has in memory.
TensorSpec as_it_lies(Device device, TensorSpec s) {
  if (s.shape == scalar_shape) return s;  // whose padding is never read
  s.shape = {s.filter && !device.is_cpu() ? padded_to_8(s.shape.n) : s.shape.n, s.shape.h, s.shape.w,
             pitch_on(device, s)};
  return s;
}

}  // namespace

Cost cost_on(Device device, const Op& op, Specs in, Specs out) {
  std::vector<TensorSpec> padded_in, padded_out;
  for (const TensorSpec& s : in) padded_in.push_back(as_it_lies(device, s));
  for (const TensorSpec& s : out) padded_out.push_back(as_it_lies(device, s));
  return {op.cost(padded_in, padded_out).bytes, op.cost(in, out).flops};
}

Cost cost_on(Device device, const Graph& graph, const Graph::Node& node) {
  return cost_on(device, *node.op, graph.specs(node.inputs), graph.specs(node.outputs));
}

}  // namespace ipa
