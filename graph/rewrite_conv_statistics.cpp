#include <algorithm>

#include "graph/ops/batch_norm.h"
#include "graph/ops/conv.h"
#include "graph/ops/tail.h"
#include "graph/rewrite.h"

namespace ipa::rewrites {
namespace {

// The list of nodes as it grows anew, in which convolutions get their sums when someone asks for them.
class WithSums {
 public:
  explicit WithSums(Graph::Lists& lists) : lists_(lists), made_by_(lists.infos.size(), -1), sums_(lists.infos.size()) {}

  void append(Graph::Node node) {
    for (const Value& v : node.outputs) made_by_[index(v)] = static_cast<int>(nodes_.size());
    nodes_.push_back(std::move(node));
  }

  // The sums of x and of its squares, which the convolution that makes it leaves; none where no convolution can.
  Value sums_of(Value x) {
    if (sums_[index(x)]) return sums_[index(x)];
    const int maker = made_by_[index(x)];
    if (maker < 0) return {};
    Graph::Node& conv = nodes_[static_cast<std::size_t>(maker)];
    const OpPtr with_sums = with_statistics(*conv.op, lists_.specs(conv.inputs));
    if (!with_sums) return {};
    const Value sums{x.graph, static_cast<int>(lists_.infos.size())};
    lists_.infos.push_back({.spec = with_sums->infer(lists_.specs(conv.inputs))[1],
                            .kind = Graph::Kind::result,
                            .name = lists_.infos[index(x)].name + " sums"});
    made_by_.push_back(maker);
    sums_.emplace_back();
    conv.op = with_sums;
    conv.outputs.push_back(sums);
    return sums_[index(x)] = sums;
  }

  std::vector<Graph::Node> all() && { return std::move(nodes_); }

 private:
  static std::size_t index(Value v) { return static_cast<std::size_t>(v.id); }

  Graph::Lists& lists_;
  std::vector<Graph::Node> nodes_;
  std::vector<int> made_by_;  // by value id: node of the new list
  std::vector<Value> sums_;   // by value id: its sums, where a convolution leaves them
};

// The batch norm in two nodes, or as it is.
int append_batch_norm(WithSums& nodes, Graph::Node norm, const BatchNormHalves& halves) {
  const Value sums = nodes.sums_of(norm.inputs[0]);
  if (!sums) {
    nodes.append(std::move(norm));
    return 0;
  }
  const std::vector<Value>&in = norm.inputs, &out = norm.outputs;  // x, gamma, beta, running mean and variance
  const std::vector<int>& versions = norm.versions;
  nodes.append({halves.statistics, {sums, in[3], in[4]}, {out[1], out[2]}, norm.scope, {0, versions[3], versions[4]}});
  nodes.append(
      {halves.map, {in[0], out[1], out[2], in[1], in[2]}, {out[0]}, norm.scope, {0, 0, 0, versions[1], versions[2]}});
  return 1;
}

// The tail with the sums that there are; says how many.
int append_tail(WithSums& nodes, Graph::Node tail, const std::vector<int>& summed) {
  std::vector<Value> sums;
  for (const int i : summed) sums.push_back(nodes.sums_of(tail.inputs[static_cast<std::size_t>(i)]));
  const auto known = std::count_if(sums.begin(), sums.end(), [](Value v) { return static_cast<bool>(v); });
  if (known > 0) {
    tail.inputs.insert(tail.inputs.end(), sums.begin(), sums.end());
    tail.versions.resize(tail.inputs.size(), 0);
  }
  nodes.append(std::move(tail));
  return static_cast<int>(known);
}

}  // namespace

int conv_statistics(Graph::Lists& lists, const std::vector<bool>&, Device) {
  WithSums nodes(lists);
  int places = 0;
  for (Graph::Node& node : lists.nodes) {
    const std::vector<int> summed = tail_summed_inputs(*node.op);
    if (const auto halves = batch_norm_halves(*node.op, lists.specs(node.inputs)))
      places += append_batch_norm(nodes, std::move(node), *halves);
    else if (!summed.empty())
      places += append_tail(nodes, std::move(node), summed);
    else
      nodes.append(std::move(node));
  }
  lists.nodes = std::move(nodes).all();
  return places;
}

}  // namespace ipa::rewrites
