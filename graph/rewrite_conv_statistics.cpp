#include "graph/ops/batch_norm.h"
#include "graph/ops/conv.h"
#include "graph/rewrite.h"

namespace ipa::rewrites {

int conv_statistics(Graph::Lists& lists, const std::vector<bool>&, Device) {
  std::vector<int> made_by(lists.infos.size(), -1);  // node of the new list
  std::vector<Graph::Node> nodes;
  int places = 0;
  auto append = [&](Graph::Node node) {
    for (const Value& v : node.outputs) made_by[static_cast<std::size_t>(v.id)] = static_cast<int>(nodes.size());
    nodes.push_back(std::move(node));
  };
  for (Graph::Node& norm : lists.nodes) {
    const auto halves = batch_norm_halves(*norm.op, lists.specs(norm.inputs));
    const int maker = halves ? made_by[static_cast<std::size_t>(norm.inputs[0].id)] : -1;
    Graph::Node* const conv = maker >= 0 ? &nodes[static_cast<std::size_t>(maker)] : nullptr;
    const OpPtr with_sums = conv ? with_statistics(*conv->op, lists.specs(conv->inputs)) : OpPtr{};
    if (!with_sums) {
      append(std::move(norm));
      continue;
    }
    const Value sums{norm.inputs[0].graph, static_cast<int>(lists.infos.size())};
    lists.infos.push_back({.spec = with_sums->infer(lists.specs(conv->inputs))[1],
                           .kind = Graph::Kind::result,
                           .name = lists.infos[static_cast<std::size_t>(norm.inputs[0].id)].name + " sums"});
    made_by.push_back(maker);
    conv->op = with_sums;
    conv->outputs.push_back(sums);

    const std::vector<Value>&in = norm.inputs, &out = norm.outputs;  // x, gamma, beta, running mean and variance
    const std::vector<int>& versions = norm.versions;
    append({halves->statistics, {sums, in[3], in[4]}, {out[1], out[2]}, norm.scope, {0, versions[3], versions[4]}});
    append({halves->map,
            {in[0], out[1], out[2], in[1], in[2]},
            {out[0]},
            norm.scope,
            {0, 0, 0, versions[1], versions[2]}});
    ++places;
  }
  lists.nodes = std::move(nodes);
  return places;
}

}  // namespace ipa::rewrites
