// What a node of a graph must move and compute at least.
#pragma once

#include <algorithm>
#include <vector>

#include "graph/graph.h"

namespace ipa::bench {

inline Cost cost_of(const Graph& graph, const Graph::Node& node) {
  std::vector<TensorSpec> in, out;
  for (const Value& v : node.inputs) in.push_back(v ? graph.info(v).spec : TensorSpec{{0, 0, 0, 0}, DType::f32});
  for (const Value& v : node.outputs) out.push_back(graph.info(v).spec);
  return node.op->cost(in, out);
}

inline double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

}  // namespace ipa::bench
