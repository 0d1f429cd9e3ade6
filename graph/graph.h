// The description of a computation: an append-only list of nodes, which is also the order of execution.
#pragma once

#include <string>
#include <vector>

#include "graph/op.h"

namespace ipa {

class Graph {
 public:
  enum class Kind {
    input,   // filled by the caller; lives in the arena and keeps its content from run to run
    state,   // memory of the caller (parameters, running statistics, gradients, Adam moments), bound when a Program is
             // made
    result,  // made by a node; lives in the arena unless stored
  };
  struct Info {
    TensorSpec spec;
    Kind kind = Kind::result;
    std::string name;
    int node = -1;     // producer of a result
    int stored = -1;   // id of the state whose memory this result is written to, or -1
    int first = -1;    // id of the result that this one is a second computation of, bit by bit, or -1
    int versions = 0;  // how often nodes appended so far have mutated this state
  };
  struct Node {
    OpPtr op;
    std::vector<Value> inputs, outputs;
    std::string scope;          // where in the network: "generator.0.enc1"
    std::vector<int> versions;  // of the inputs when this node was appended
  };

  Graph() = default;
  Graph(const Graph&) = delete;  // values point to their graph
  Graph& operator=(const Graph&) = delete;

  Value input(std::string name, const TensorSpec& spec);
  Value state(std::string name, const TensorSpec& spec);
  std::vector<Value> apply(OpPtr op, std::vector<Value> inputs);

  // Has `result` written straight into the memory of `state` (gradients into a flat buffer): no copy is made. Nothing
  // may read the state's former content after `result` is made.
  void store(Value result, Value state);

  // Says that `again` is `first` computed once more, bit by bit, so that rewrites may do without it.
  void repeats(Value again, Value first);

  // All of the description, to be changed by rewrites (graph/rewrite.h); their values of new ids know no graph yet.
  struct Lists {
    std::vector<Info> infos;  // by value id
    std::vector<Node> nodes;

    const TensorSpec& spec(Value v) const { return infos[static_cast<std::size_t>(v.id)].spec; }
    std::vector<TensorSpec> specs(const std::vector<Value>& values) const;
  };
  Lists lists() const { return {infos_, nodes_}; }
  // Takes the place of all: values keep their ids and meanings, new ones come behind them, a result that no node makes
  // any more is gone. Whoever holds a Value holds it on.
  void replace(Lists lists);

  const Info& info(Value v) const { return infos_[static_cast<std::size_t>(v.id)]; }
  std::vector<TensorSpec> specs(const std::vector<Value>& values) const;  // of an absent one: zero channels
  const std::vector<Info>& infos() const { return infos_; }
  const std::vector<Node>& nodes() const { return nodes_; }

  // While it lives, what is appended reads instead(v) in place of each input v.
  class Reading {
   public:
    Reading(Graph& graph, std::function<Value(Value)> instead) : graph_(graph) {
      require(!graph.instead_, "readings of a graph do not nest");
      graph.instead_ = std::move(instead);
    }
    ~Reading() { graph_.instead_ = {}; }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;

   private:
    Graph& graph_;
  };

  // Names what is appended while it lives; scopes nest.
  class Scope {
   public:
    Scope(Graph& graph, const std::string& name);
    ~Scope() { graph_.scope_.resize(length_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Graph& graph_;
    std::size_t length_;
  };

 private:
  Value add(Info info);
  std::vector<Info> infos_;
  std::vector<Node> nodes_;
  std::string scope_;
  std::function<Value(Value)> instead_;
};

// Applies an op with one output.
template <class O, class... Args>
Value apply(Graph& graph, std::vector<Value> inputs, Args&&... attributes) {
  return graph.apply(std::make_shared<const O>(std::forward<Args>(attributes)...), std::move(inputs)).front();
}

struct GradOptions {
  float seed = 1;  // d loss / d loss: 1 / R gives each of R ranks its part of the mean
  // Called for each of `wrt` as soon as its gradient is complete (none: it does not reach the loss). What it appends
  // runs before the rest of the backward pass.
  std::function<void(std::size_t index, Value gradient)> on_ready;
};

// Appends the gradient of the scalar `loss` with respect to each of `wrt`: none for a value that does not reach it.
// What it reads of the forward pass is computed again where that is cheap (Op::recompute), so that it need not be kept.
std::vector<Value> grad(Value loss, Values wrt, const GradOptions& options = {});

std::string to_string(const Graph::Lists& lists);  // one line a node
std::string to_string(const Graph& graph);

}  // namespace ipa
