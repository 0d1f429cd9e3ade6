#include "graph/graph.h"

#include <fmt/core.h>

namespace ipa {
namespace {

std::vector<TensorSpec> specs_among(const std::vector<Graph::Info>& infos, const std::vector<Value>& values) {
  std::vector<TensorSpec> result;
  for (const Value& v : values)
    result.push_back(v ? infos[static_cast<std::size_t>(v.id)].spec : TensorSpec{{0, 0, 0, 0}});
  return result;
}

}  // namespace

const TensorSpec& Value::spec() const {
  require(graph != nullptr, "the spec of no value");
  return graph->info(*this).spec;
}

Value Graph::add(Info info) {
  infos_.push_back(std::move(info));
  return {this, static_cast<int>(infos_.size()) - 1};
}

Value Graph::input(std::string name, const TensorSpec& spec) {
  return add({.spec = spec, .kind = Kind::input, .name = std::move(name)});
}

Value Graph::state(std::string name, const TensorSpec& spec) {
  return add({.spec = spec, .kind = Kind::state, .name = std::move(name)});
}

std::vector<Value> Graph::apply(OpPtr op, std::vector<Value> inputs) {
  if (instead_)
    for (Value& v : inputs) v = instead_(v);
  std::vector<int> versions;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Value v = inputs[i];
    require(!v || v.graph == this, "value of another graph");
    if (op->mutates(static_cast<int>(i)) && v) {
      require(info(v).kind == Kind::state, "only a state can be mutated");
      ++infos_[static_cast<std::size_t>(v.id)].versions;
    }
    versions.push_back(v ? info(v).versions : 0);
  }
  const int node = static_cast<int>(nodes_.size());
  std::vector<Value> outputs;
  for (const TensorSpec& spec : op->infer(specs(inputs)))
    outputs.push_back(
        add({.spec = spec, .name = scope_.empty() ? op->name() : scope_ + ": " + op->name(), .node = node}));
  nodes_.push_back({std::move(op), std::move(inputs), outputs, scope_, std::move(versions)});
  return outputs;
}

void Graph::store(Value result, Value state) {
  require(info(result).kind == Kind::result && info(state).kind == Kind::state, "store: a result into a state");
  require(result.spec() == state.spec(), "store: specs differ");
  require(info(result).stored < 0, "store: the result is stored already");
  infos_[static_cast<std::size_t>(result.id)].stored = state.id;
}

void Graph::repeats(Value again, Value first) {
  require(again.spec() == first.spec(), "graph: a second computation has another shape");
  infos_[static_cast<std::size_t>(again.id)].first = first.id;
}

Graph::Scope::Scope(Graph& graph, const std::string& name) : graph_(graph), length_(graph.scope_.size()) {
  if (length_) graph_.scope_ += '.';
  graph_.scope_ += name;
}

std::vector<TensorSpec> Graph::Lists::specs(const std::vector<Value>& values) const {
  return specs_among(infos, values);
}

std::vector<TensorSpec> Graph::specs(const std::vector<Value>& values) const { return specs_among(infos_, values); }

void Graph::replace(Lists lists) {
  require(lists.infos.size() >= infos_.size(), "graph: values keep their ids");
  for (Info& info : lists.infos) info.node = -1;
  for (std::size_t n = 0; n < lists.nodes.size(); ++n) {
    Node& node = lists.nodes[n];
    for (Value& v : node.inputs) {
      if (!v) continue;
      v.graph = this;
      const Info& info = lists.infos[static_cast<std::size_t>(v.id)];
      require(info.kind != Kind::result || info.node >= 0, "graph: " + node.op->name() + " reads what is not made yet");
    }
    for (Value& v : node.outputs) {
      v.graph = this;
      int& maker = lists.infos[static_cast<std::size_t>(v.id)].node;
      require(maker < 0, "graph: a value is made twice");
      maker = static_cast<int>(n);
    }
  }
  infos_ = std::move(lists.infos);
  nodes_ = std::move(lists.nodes);
}

std::string to_string(const Graph::Lists& lists) {
  std::string text;
  for (const Graph::Node& node : lists.nodes) {
    for (const Value& v : node.outputs) text += fmt::format("%{} {} ", v.id, to_string(lists.spec(v).shape));
    text += "= " + node.op->name() + "(";
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      text += (i ? ", " : "") + (node.inputs[i] ? fmt::format("%{}", node.inputs[i].id) : std::string("-"));
    text += node.scope.empty() ? ")\n" : ")  # " + node.scope + "\n";
  }
  return text;
}

std::string to_string(const Graph& graph) { return to_string(graph.lists()); }

}  // namespace ipa
