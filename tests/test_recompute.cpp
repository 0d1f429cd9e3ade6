// The backward pass reads what is cheap to compute again from a second computation, right before its first use: the
// same bits with less memory.
#include <algorithm>
#include <catch2/catch.hpp>

#include "graph/ops.h"
#include "graph/program.h"
#include "tests/support/dot.h"

using namespace ipa;
using namespace ipa::test;
using Catch::Contains;

namespace {

// Another op, of which nothing is computed again.
class Keeping final : public Op {
 public:
  explicit Keeping(OpPtr op) : op_(std::move(op)) {}
  std::string name() const override { return op_->name(); }
  std::vector<TensorSpec> infer(Specs in) const override { return op_->infer(in); }
  Launch prepare(Device device, Specs in, Specs out) const override { return op_->prepare(device, in, out); }
  std::vector<Value> vjp(Values in, Values out, Values dout, const std::vector<bool>& needs) const override {
    return op_->vjp(in, out, dout, needs);
  }
  bool in_place(int i, int o) const override { return op_->in_place(i, o); }
  bool mutates(int i) const override { return op_->mutates(i); }

 private:
  OpPtr op_;
};

// Layers as the networks have them: batch norms between convolutions, and both kinds of tails.
struct Network {
  Graph graph;
  std::vector<Value> states, parameters;
  Value x, loss;

  Network() {
    x = graph.input("x", {{2, 64, 64, 6}});
    const Value f1 = conv_bn(x, 4), f2 = conv_bn(f1, 6), f3 = conv_bn(f2, 8);
    const Pooled block = multires_tail_pooled(f1, f2, f3, convolved(x, 18, 1), norm(18), norm(18), norm(18));
    Value v = block.y;
    for (int unit = 0; unit < 6; ++unit)
      v = respath_tail(convolved(v, 10, 1), convolved(v, 10, 3), norm(10), norm(10), norm(10));
    loss = add(sum(conv_bn(v, 5)), sum(conv_bn(block.pooled, 5)));
  }

  Value state(const char* name, const Shape& shape) {
    states.push_back(graph.state(name, {shape}));
    return states.back();
  }
  Value parameter(const char* name, const Shape& shape) {
    parameters.push_back(state(name, shape));
    return parameters.back();
  }
  BatchNorm norm(std::int64_t c) {
    return {.gamma = parameter("gamma", vector_shape(c)),
            .beta = parameter("beta", vector_shape(c)),
            .running_mean = state("mean", vector_shape(c)),
            .running_var = state("variance", vector_shape(c))};
  }
  Value convolved(Value v, std::int64_t out, int kernel) {
    return conv(v, parameter("w", {out, kernel, kernel, v.shape().c}), {}, {.pad = kernel / 2});
  }
  Value conv_bn(Value v, std::int64_t out) { return batch_norm(convolved(v, out, 3), norm(out), relu_activation); }
};

struct Gradients {
  std::vector<std::vector<float>> values;  // then the states, running statistics among them
  std::vector<std::string> steps;
  std::size_t arena_bytes;
};

// Of the network's forward pass, whose ops are wrapped by `wrap`, after two runs.
template <class Wrap>
Gradients gradients(const Wrap& wrap) {
  const Network described;
  Graph graph;
  std::vector<Value> values;  // of `graph`, by id in `described`
  auto here = [&](Value v) { return v ? values[static_cast<std::size_t>(v.id)] : Value{}; };
  std::size_t next = 0;
  auto make_until = [&](std::size_t id) {  // values are numbered as they are made
    for (; values.size() < id; ++next) {
      const Graph::Node& node = described.graph.nodes()[next];
      std::vector<Value> in;
      for (const Value& v : node.inputs) in.push_back(here(v));
      for (const Value& v : graph.apply(wrap(node.op), std::move(in))) values.push_back(v);
    }
  };
  for (std::size_t id = 0; id < described.graph.infos().size(); ++id) {
    const Graph::Info& info = described.graph.infos()[id];
    if (info.kind == Graph::Kind::result) {
      make_until(id + 1);
    } else {
      values.push_back(info.kind == Graph::Kind::input ? graph.input(info.name, info.spec)
                                                       : graph.state(info.name, info.spec));
    }
  }

  std::vector<Value> wrt{here(described.x)};
  for (const Value& v : described.parameters) wrt.push_back(here(v));
  const std::vector<Value> outputs = grad(here(described.loss), wrt);
  Program::Bindings bindings;
  std::vector<Buffer> memory;
  auto fill = [](const Tensor& t, int seed) {
    for (std::int64_t i = 0; i < t.elements(); ++i)
      t.f32()[i] = static_cast<float>((i + seed) * 7919 % 101) / 50.0f - 0.99f;
  };
  for (const Value& v : described.states) {
    memory.emplace_back("state", v.spec().bytes());
    fill(bindings[here(v).id] = memory.back().tensor(v.spec()), v.id);
  }
  Program program(graph, plan(graph, outputs), bindings);
  fill(program.tensor(here(described.x)), 3);
  Stream stream;
  program.run(stream);
  program.run(stream);

  Gradients result{.values = {}, .steps = {}, .arena_bytes = program.plan().arena_bytes};
  auto keep = [&](const Tensor& t) { result.values.emplace_back(t.f32(), t.f32() + t.elements()); };
  for (const Value& v : outputs) keep(program.tensor(v));
  for (const Value& v : described.states) keep(bindings.at(here(v).id));
  for (const Plan::Step& s : program.plan().steps)
    result.steps.push_back(graph.nodes()[static_cast<std::size_t>(s.node)].op->name());
  return result;
}

BatchNorm norm_of(Graph& g, std::int64_t c) {
  auto state = [&](const char* name) { return g.state(name, {vector_shape(c)}); };
  return {.gamma = {}, .beta = state("beta"), .running_mean = state("mean"), .running_var = state("variance")};
}

long count(const std::vector<std::string>& names, const std::string& name) {
  return std::count(names.begin(), names.end(), name);
}

std::vector<std::string> step_names(const Graph& graph, Values outputs) {
  std::vector<std::string> names;
  for (const Plan::Step& s : plan(graph, outputs).steps)
    names.push_back(graph.nodes()[static_cast<std::size_t>(s.node)].op->name());
  return names;
}

}  // namespace

TEST_CASE("gradients and statistics have the same bits whether values are kept or computed again") {
  const Gradients kept = gradients([](const OpPtr&op) { return std::make_shared<const Keeping>(op); }),
                  again = gradients([](const OpPtr&op) { return op; });
  CHECK(kept.values == again.values);
  CHECK(again.arena_bytes < kept.arena_bytes * 3 / 4);
  CHECK(count(again.steps, "batch_norm recomputed") == 3);  // what only the loss reads is not
  CHECK(count(again.steps, "multires_tail_pooled recomputed") == 1);
  CHECK(count(again.steps, "respath_tail recomputed") == 6);
  for (const std::string& name : kept.steps) CHECK_THAT(name, !Contains("recomputed"));
}

TEST_CASE("a value is computed again right before its first reader in the backward pass, and once") {
  Graph g;
  const Value x = g.input("x", {{1, 4, 4, 3}}), w = g.state("w", {{3, 1, 1, 3}}), u = g.state("u", {{3, 1, 1, 3}});
  const Value y = batch_norm(x, norm_of(g, 3), relu_activation);
  const Value loss = sum(add(conv(y, w, {}, {}), conv(y, u, {}, {})));
  const std::vector<Value> d = grad(loss, std::vector<Value>{x, w, u});
  const std::vector<std::string> names = step_names(g, d);
  CHECK(count(names, "batch_norm recomputed") == 1);
  const auto at = std::find(names.begin(), names.end(), "batch_norm recomputed");
  REQUIRE(at + 1 < names.end());
  CHECK(*(at + 1) == "conv wgrad s1 p0");
  const Plan p = plan(g, d);
  const Plan::Storage& kept = p.storages[static_cast<std::size_t>(p.storage_of[static_cast<std::size_t>(y.id)])];
  CHECK(kept.last < static_cast<int>(at - names.begin()));
}

TEST_CASE("what is not differentiated is kept, since nothing else keeps what it is made of") {
  Graph g;
  const Value x = g.input("x", {{1, 4, 4, 3}}), w = g.state("w", {{3, 1, 1, 3}});
  const Value loss = sum(conv(batch_norm(x, norm_of(g, 3)), w, {}, {}));
  CHECK(count(step_names(g, grad(loss, std::vector<Value>{w})), "batch_norm recomputed") == 0);
}

TEST_CASE("readings of a graph do not nest") {
  Graph g;
  const Value x = g.input("x", {{1, 1, 1, 3}}), y = g.input("y", {{1, 1, 1, 3}});
  {
    const Graph::Reading reading(g, [=](Value v) { return v == x ? y : v; });
    CHECK(g.nodes()[static_cast<std::size_t>(g.info(add(x, x)).node)].inputs == std::vector<Value>{y, y});
    CHECK_THROWS_WITH(Graph::Reading(g, [](Value v) { return v; }), Contains("do not nest"));
  }
  CHECK(g.nodes()[static_cast<std::size_t>(g.info(add(x, x)).node)].inputs == std::vector<Value>{x, x});
}
