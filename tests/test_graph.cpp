// What the planner and the graph promise, on small graphs; tests/test_plan.cpp has the random ones.
#include <algorithm>
#include <catch2/catch.hpp>

#include "graph/ops.h"
#include "graph/program.h"
#include "tests/support/dot.h"

using namespace ipa;
using namespace ipa::test;
using Catch::Contains;

namespace {

// Adds one to a state.
class Increment final : public Op {
 public:
  std::string name() const override { return "increment"; }
  std::vector<TensorSpec> infer(Specs) const override { return {}; }
  Launch prepare(Device, Specs, Specs) const override {
    return {[](const Call& c) {
      for (std::int64_t i = 0; i < c.in[0].elements(); ++i) c.in[0].f32()[i] += 1;
    }};
  }
  bool mutates(int) const override { return true; }
};

void increment(Value state) { state.graph->apply(std::make_shared<const Increment>(), {state}); }

const TensorSpec spec{{1, 2, 3, 4}};
const Activation relu = relu_activation;

std::vector<std::string> step_names(const Graph& graph, const Plan& p) {
  std::vector<std::string> names;
  for (const Plan::Step& s : p.steps) names.push_back(graph.nodes()[static_cast<std::size_t>(s.node)].op->name());
  return names;
}

int storage(const Plan& p, Value v) { return p.storage_of[static_cast<std::size_t>(v.id)]; }

void fill(const Tensor& t, float value) { std::fill_n(t.f32(), t.elements(), value); }
bool all_are(const Tensor& t, float value) {
  return std::all_of(t.f32(), t.f32() + t.elements(), [=](float v) { return v == value; });
}

}  // namespace

TEST_CASE("a value takes over the memory of an input that dies") {
  Graph g;
  const Value x = g.input("x", spec), a = activation(x, relu), b = activation(a, tanh_activation), c = add(b, x);
  const std::vector<Value> outputs{c};
  const Plan p = plan(g, outputs);
  CHECK(p.in_place == 2);
  CHECK(storage(p, a) == storage(p, b));
  CHECK(storage(p, b) == storage(p, c));
  CHECK(storage(p, x) != storage(p, a));  // an input keeps its content
  CHECK(plan(g, outputs, {.share = false}).in_place == 0);
}

TEST_CASE("a value that is read later, is an output, or is read twice by the op keeps its memory") {
  Graph g;
  const Value x = g.input("x", spec), a = activation(x, relu);
  SECTION("read later") {
    const Value b = activation(a, tanh_activation), c = add(b, a);
    const Plan p = plan(g, std::vector<Value>{c});
    CHECK(storage(p, a) != storage(p, b));
  }
  SECTION("an output") {
    const Value b = activation(a, tanh_activation);
    const Plan p = plan(g, std::vector<Value>{a, b});
    CHECK(storage(p, a) != storage(p, b));
  }
  SECTION("read twice by the op") {
    const Value b = add(a, a);
    const Plan p = plan(g, std::vector<Value>{b});
    CHECK(storage(p, a) != storage(p, b));
  }
}

TEST_CASE("nodes that nothing depends on do not run and take no memory") {
  Graph g;
  const Value x = g.input("x", spec), unused = g.input("unused", spec), a = activation(x, relu);
  const Value dead = activation(add(a, unused), tanh_activation), b = clip(a, 0, 1);
  const Plan p = plan(g, std::vector<Value>{b});
  CHECK(step_names(g, p) == std::vector<std::string>{"activation", "clip"});
  CHECK(storage(p, dead) == -1);
  CHECK(storage(p, unused) >= 0);  // an input has memory, so that its owner need not know what is read
  CHECK(p.inputs == std::vector<Value>{x, unused});
}

TEST_CASE("mutations and stores run even if no output depends on them") {
  Graph g;
  const Value w = g.state("w", spec), into = g.state("into", spec);
  increment(w);
  g.store(activation(w, relu), into);
  const Plan p = plan(g, {});
  CHECK(step_names(g, p) == std::vector<std::string>{"increment", "activation"});

  Buffer buffer("states", 2 * spec.bytes());
  const Tensor tw = buffer.tensor(spec), ti = buffer.tensor(spec, spec.bytes());
  Program program(g, p, {{w.id, tw}, {into.id, ti}});
  CHECK(program.plan().arena_bytes == 0);  // the stored result lives in the state's memory alone
  Stream stream;
  program.run(stream);
  program.run(stream);
  CHECK(all_are(tw, 2));
  CHECK(all_are(ti, 2));
}

TEST_CASE("a stored value can be read and be an output") {
  Graph g;
  const Value x = g.input("x", spec), into = g.state("into", spec), a = activation(x, relu), b = add(a, x);
  g.store(a, into);
  Buffer buffer("state", spec.bytes());
  Program program(g, plan(g, std::vector<Value>{a, b}), {{into.id, buffer.tensor(spec)}});
  fill(program.tensor(x), 3);
  Stream stream;
  program.run(stream);
  CHECK(program.tensor(a).data == buffer.data());
  CHECK(all_are(buffer.tensor(spec), 3));
  CHECK(all_are(program.tensor(b), 6));
}

TEST_CASE("inputs keep their content from run to run") {
  Graph g;
  const Value x = g.input("x", spec);
  Value v = x;
  for (int i = 0; i < 5; ++i) v = activation(clip(v, -9, 9), relu);
  Program program(g, plan(g, std::vector<Value>{v}), {});
  fill(program.tensor(x), 2);
  Stream stream;
  for (int i = 0; i < 3; ++i) program.run(stream);
  CHECK(all_are(program.tensor(x), 2));
  CHECK(all_are(program.tensor(v), 2));
}

TEST_CASE("differentiating through a state that was changed since is refused") {
  Graph g;
  const Value x = g.input("x", spec), w = g.state("w", spec);
  const Value loss = sum(add(x, w));
  const std::vector<Value> wrt{x};
  SECTION("changed after the loss") {
    increment(w);
    CHECK_THROWS_WITH(grad(loss, wrt), Contains("a state read by add was changed since"));
  }
  SECTION("changed before it was read") {
    Graph h;
    const Value y = h.input("x", spec), s = h.state("w", spec);
    increment(s);
    CHECK(grad(sum(add(y, s)), std::vector<Value>{y}).front());
  }
  SECTION("changed after grad") {
    CHECK(grad(loss, wrt).front());
    increment(w);
  }
}

TEST_CASE("grad: none for what does not reach the loss, and only of scalars") {
  Graph g;
  const Value x = g.input("x", spec), other = g.input("other", spec), y = activation(x, relu);
  const std::vector<Value> d = grad(sum(y), std::vector<Value>{x, other});
  CHECK(d[0].shape() == spec.shape);
  CHECK_FALSE(d[1]);
  CHECK_THROWS_WITH(grad(y, std::vector<Value>{x}), Contains("scalar"));
}

TEST_CASE("misuse of a graph is refused") {
  Graph g, h;
  const Value x = g.input("x", spec), w = g.state("w", spec), a = activation(x, relu);
  CHECK_THROWS_WITH(add(x, h.input("x", spec)), Contains("another graph"));
  CHECK_THROWS_WITH(increment(x), Contains("only a state"));
  CHECK_THROWS_WITH(g.store(a, g.state("narrow", {{1, 2, 3, 1}})), Contains("specs differ"));
  g.store(a, w);
  CHECK_THROWS_WITH(g.store(a, w), Contains("stored already"));
  CHECK_THROWS_WITH(Program(g, plan(g, std::vector<Value>{a}), {}), Contains("no memory bound to state w"));
}

TEST_CASE("scopes name nodes, and the memory table names the largest storages") {
  Graph g;
  const Value x = g.input("x", {{4, 64, 64, 32}});
  Value y;
  {
    const Graph::Scope outer(g, "generator.0");
    const Graph::Scope inner(g, "enc1");
    y = activation(x, relu);
  }
  CHECK(g.info(y).name == "generator.0.enc1: activation");
  CHECK(to_string(g) == "%1 (4, 64, 64, 32) = activation(%0)  # generator.0.enc1\n");
  const std::string table = memory_table(plan(g, std::vector<Value>{y}));
  CHECK_THAT(table, Contains("arena 4.0 MiB") && Contains("2.00 MiB") && Contains("generator.0.enc1: activation"));
}

TEST_CASE("a graph prints one line a node, with its scope") {
  Graph g;
  const Value x = g.input("x", {{1, 2, 2, 3}});
  const Graph::Scope scope(g, "net");
  add(activation(x, relu), x);
  CHECK(to_string(g) ==
        "%1 (1, 2, 2, 3) = activation(%0)  # net\n"
        "%2 (1, 2, 2, 3) = add(%1, %0)  # net\n");
}

TEST_CASE("live buffers are listed by name") {
  const std::size_t before = Buffer::holdings().size();
  {
    const Buffer buffer("moments", 100);
    REQUIRE(Buffer::holdings().size() == before + 1);
    CHECK(Buffer::holdings().back().name == "moments");
    CHECK(Buffer::holdings().back().bytes == 100);
  }
  CHECK(Buffer::holdings().size() == before);
}
