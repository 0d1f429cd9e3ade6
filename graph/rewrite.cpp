#include "graph/rewrite.h"

#include <fmt/core.h>

#include "graph/cost.h"
#include "graph/plan.h"

namespace ipa {
namespace {

double bytes_of(const Graph::Lists& lists, Device device) {
  double bytes = 0;
  for (const Graph::Node& node : lists.nodes)
    bytes += cost_on(device, *node.op, lists.specs(node.inputs), lists.specs(node.outputs)).bytes;
  return bytes;
}

}  // namespace

Rewritten rewrite(const Graph& graph, Values outputs, Device device, const Rewrites& which) {
  Rewritten result{graph.lists(), {}};
  Graph::Lists& lists = result.lists;
  std::vector<bool> kept(lists.infos.size(), false);
  for (const Value& v : outputs) kept[static_cast<std::size_t>(v.id)] = true;
  for (std::size_t id = 0; id < kept.size(); ++id) kept[id] = kept[id] || lists.infos[id].stored >= 0;

  const std::vector<bool> live = live_nodes(graph, outputs);
  std::vector<Graph::Node> nodes;
  for (std::size_t n = 0; n < live.size(); ++n)
    if (live[n]) nodes.push_back(std::move(lists.nodes[n]));
  lists.nodes = std::move(nodes);

  auto apply = [&](const char* name, bool wanted, auto&& change) {
    if (!wanted) return;
    Rewritten::Change c{name, 0, static_cast<int>(lists.nodes.size()), 0, bytes_of(lists, device), 0};
    c.places = change(lists, kept, device);
    kept.resize(lists.infos.size(), false);
    c.nodes_after = static_cast<int>(lists.nodes.size());
    c.bytes_after = bytes_of(lists, device);
    result.changes.push_back(std::move(c));
  };
  apply("kept outputs", which.kept_outputs, rewrites::kept_outputs);
  apply("dgrad addition", which.dgrad_addition, rewrites::dgrad_addition);
  apply("conv statistics", which.conv_statistics, rewrites::conv_statistics);
  apply("concat in place", which.concat_in_place, rewrites::concat_in_place);
  return result;
}

std::string to_string(const std::vector<Rewritten::Change>& changes) {
  std::string text = fmt::format("{:<16} {:>6} {:>13} {:>21} {:>8}\n", "rewrite", "places", "nodes", "GB", "saved");
  for (const Rewritten::Change& c : changes)
    text += fmt::format("{:<16} {:>6} {:>5} ->{:>5} {:>9.3f} -> {:>8.3f} {:>7.1f}%\n", c.name, c.places, c.nodes_before,
                        c.nodes_after, c.bytes_before * 1e-9, c.bytes_after * 1e-9,
                        100 * (1 - c.bytes_after / c.bytes_before));
  return text;
}

}  // namespace ipa
