#include "graph/rewrite.h"

namespace ipa::rewrites {

int kept_outputs(Graph::Lists& lists, const std::vector<bool>& kept, Device) {
  std::vector<bool> made(lists.infos.size(), false);  // by value id: by a node of the new list
  auto first_of = [&](Value v) {                      // none where v is no second computation, or the first is gone
    const int first = lists.infos[static_cast<std::size_t>(v.id)].first;
    return first >= 0 && made[static_cast<std::size_t>(first)] ? Value{v.graph, first} : Value{};
  };
  std::vector<Graph::Node> nodes;
  int places = 0;
  for (Graph::Node& node : lists.nodes) {
    bool wanted = false;
    for (const Value& v : node.outputs) wanted |= kept[static_cast<std::size_t>(v.id)] || !first_of(v);
    if (!wanted && !node.outputs.empty()) {
      ++places;
      continue;
    }
    for (Value& v : node.inputs)
      if (const Value first = v ? first_of(v) : Value{}; first) v = first;
    for (const Value& v : node.outputs) made[static_cast<std::size_t>(v.id)] = true;
    nodes.push_back(std::move(node));
  }
  lists.nodes = std::move(nodes);
  return places;
}

}  // namespace ipa::rewrites
