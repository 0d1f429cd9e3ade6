// Reverse-mode differentiation: walks the nodes backwards and lets each op append its own gradient.
#include <fmt/core.h>

#include <algorithm>

#include "graph/graph.h"
#include "graph/ops.h"

namespace ipa {
namespace {

// PyTorch's version check: whether a gradient rule still sees the states as the forward node read them.
bool unchanged(const Graph& graph, const Graph::Node& node) {
  for (std::size_t i = 0; i < node.inputs.size(); ++i)
    if (node.inputs[i] && !node.op->mutates(static_cast<int>(i)) &&
        graph.info(node.inputs[i]).versions != node.versions[i])
      return false;
  return true;
}

// What the backward pass reads in place of a value of the forward pass: the same made once more, right before its first
// reader, where its op calls that cheap and is differentiated too; then what it is made of is there anyway.
class Recomputation {
 public:
  Recomputation(Graph& graph, std::vector<bool> differentiated)
      : graph_(graph), differentiated_(std::move(differentiated)), made_(differentiated_.size()) {}

  Value operator()(Value v) {
    const auto id = static_cast<std::size_t>(v.id);
    if (!v || id >= made_.size() || !differentiated_[id] || graph_.info(v).node < 0) return v;
    if (!made_[id]) {
      const Graph::Node node = graph_.nodes()[static_cast<std::size_t>(graph_.info(v).node)];  // a copy: the list grows
      const auto o = std::find(node.outputs.begin(), node.outputs.end(), v) - node.outputs.begin();
      const Value made =
          unchanged(graph_, node) ? node.op->recompute(node.inputs, node.outputs, static_cast<int>(o)) : Value{};
      made_[id] = made ? made : v;
      if (made) graph_.repeats(made, v);
    }
    return made_[id];
  }

 private:
  Graph& graph_;
  std::vector<bool> differentiated_;  // by value id
  std::vector<Value> made_;
};

}  // namespace

std::vector<Value> grad(Value loss, Values wrt, const GradOptions& options) {
  require(loss.shape() == scalar_shape, "grad: the loss must be a scalar");
  Graph& graph = *loss.graph;
  const int last = graph.info(loss).node;

  // Which values depend on `wrt`, and where each is read first: its gradient is complete when that node's is made.
  std::vector<bool> needs(graph.infos().size(), false);
  std::vector<int> first_use(needs.size(), last);
  for (const Value& v : wrt) needs[static_cast<std::size_t>(v.id)] = true;
  for (int n = 0; n <= last; ++n) {
    const Graph::Node& node = graph.nodes()[static_cast<std::size_t>(n)];
    bool any = false;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (!node.inputs[i] || node.op->mutates(static_cast<int>(i))) continue;
      const auto id = static_cast<std::size_t>(node.inputs[i].id);
      any |= needs[id];
      first_use[id] = std::min(first_use[id], n);
    }
    if (any)
      for (const Value& v : node.outputs) needs[static_cast<std::size_t>(v.id)] = true;
  }

  const Graph::Reading reading(graph, Recomputation(graph, needs));
  std::vector<Value> gradient(needs.size());
  gradient[static_cast<std::size_t>(loss.id)] = constant(graph, {scalar_shape}, options.seed);
  std::vector<bool> told(wrt.size(), !options.on_ready);
  auto tell = [&](int done) {  // nodes from `done` on have been walked
    for (std::size_t i = 0; i < wrt.size(); ++i)
      if (!told[i] && first_use[static_cast<std::size_t>(wrt[i].id)] >= done) {
        told[i] = true;
        options.on_ready(i, gradient[static_cast<std::size_t>(wrt[i].id)]);
      }
  };
  for (int n = last; n >= 0; --n) {
    tell(n + 1);
    const Graph::Node node = graph.nodes()[static_cast<std::size_t>(n)];  // a copy: the list grows below
    std::vector<Value> dout;
    bool reached = false, wanted = false;
    for (const Value& v : node.outputs) {
      dout.push_back(gradient[static_cast<std::size_t>(v.id)]);
      reached |= static_cast<bool>(dout.back());
      wanted |= needs[static_cast<std::size_t>(v.id)];
    }
    if (!reached || !wanted) continue;
    std::vector<bool> needed;
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      needed.push_back(node.inputs[i] && !node.op->mutates(static_cast<int>(i)) &&
                       needs[static_cast<std::size_t>(node.inputs[i].id)]);
    require(unchanged(graph, node),
            "grad: a state read by " + node.op->name() + " was changed since; differentiate before updating it");
    const Graph::Scope scope(graph, "d " + node.scope);
    const std::vector<Value> din = node.op->vjp(node.inputs, node.outputs, dout, needed);
    require(din.size() == node.inputs.size(), "vjp of " + node.op->name() + " must return one value per input");
    for (std::size_t i = 0; i < din.size(); ++i) {
      if (!needed[i] || !din[i]) continue;
      require(din[i].shape() == node.inputs[i].shape(), "vjp of " + node.op->name() + ": wrong gradient shape");
      Value& sum = gradient[static_cast<std::size_t>(node.inputs[i].id)];
      sum = sum ? add(sum, din[i]) : din[i];
    }
  }
  tell(0);
  std::vector<Value> result;
  for (const Value& v : wrt) result.push_back(gradient[static_cast<std::size_t>(v.id)]);
  return result;
}

}  // namespace ipa
