#include "graph/ops/conv.h"
#include "graph/ops/pointwise.h"
#include "graph/rewrite.h"

namespace ipa::rewrites {
namespace {

// Whether a node between `from` and `to` writes to a state. Node `from` may then not move behind it: states can share
// memory, as a network's parameters do with the flat state that Adam updates.
bool state_changes(const Graph::Lists& lists, std::size_t from, std::size_t to) {
  for (std::size_t n = from + 1; n < to; ++n) {
    const Graph::Node& node = lists.nodes[n];
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      if (node.inputs[i] && node.op->mutates(static_cast<int>(i))) return true;
  }
  return false;
}

}  // namespace

int dgrad_addition(Graph::Lists& lists, const std::vector<bool>& kept, Device device) {
  std::vector<int> made_by(lists.infos.size(), -1), readers(lists.infos.size(), 0);
  std::vector<bool> gone(lists.nodes.size(), false);
  for (std::size_t n = 0; n < lists.nodes.size(); ++n) {
    for (const Value& v : lists.nodes[n].outputs) made_by[static_cast<std::size_t>(v.id)] = static_cast<int>(n);
    for (const Value& v : lists.nodes[n].inputs)
      if (v) ++readers[static_cast<std::size_t>(v.id)];
  }

  // Node `sum` becomes the data gradient that makes its input `i`, with the addition of the other.
  auto join = [&](std::size_t sum, std::size_t i) {
    Graph::Node& addition = lists.nodes[sum];
    const auto part = static_cast<std::size_t>(addition.inputs[i].id);
    if (kept[part] || readers[part] != 1 || made_by[part] < 0) return false;
    const auto from = static_cast<std::size_t>(made_by[part]);
    const Graph::Node& dgrad = lists.nodes[from];
    OpPtr op = with_addition(*dgrad.op, device, lists.specs(dgrad.inputs));
    if (!op || state_changes(lists, from, sum)) return false;
    addition.op = std::move(op);
    addition.inputs = {dgrad.inputs[0], dgrad.inputs[1], addition.inputs[1 - i]};
    addition.versions = {dgrad.versions[0], dgrad.versions[1], addition.versions[1 - i]};
    addition.scope = dgrad.scope;
    gone[from] = true;
    return true;
  };
  int places = 0;
  for (std::size_t n = 0; n < lists.nodes.size(); ++n) {
    if (!is_addition(*lists.nodes[n].op)) continue;
    const std::vector<Value>& in = lists.nodes[n].inputs;
    const auto made = [&](std::size_t i) { return made_by[static_cast<std::size_t>(in[i].id)]; };
    const std::size_t later = made(1) > made(0) ? 1 : 0;  // its operands need not be kept for longer
    places += join(n, later) || join(n, 1 - later);
  }
  std::vector<Graph::Node> nodes;
  for (std::size_t n = 0; n < gone.size(); ++n)
    if (!gone[n]) nodes.push_back(std::move(lists.nodes[n]));
  lists.nodes = std::move(nodes);
  return places;
}

}  // namespace ipa::rewrites
