// The statistics of batch norms and tails from sums that the convolutions before them leave: equal to rounding.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <memory>

#include "graph/cost.h"
#include "graph/ops.h"
#include "graph/ops/tail.h"
#include "graph/program.h"
#include "graph/rewrite.h"
#include "tests/support/dot.h"

using namespace ipa;
using namespace ipa::test;

namespace {

std::vector<std::string> names(const Graph& graph) {
  std::vector<std::string> all;
  for (const Graph::Node& node : graph.nodes()) all.push_back(node.op->name());
  return all;
}

bool has(const Graph& graph, const std::string& name) {
  const std::vector<std::string> all = names(graph);
  return std::find(all.begin(), all.end(), name) != all.end();
}

const Graph::Node& maker(const Graph& graph, Value v) {
  return graph.nodes()[static_cast<std::size_t>(graph.info(v).node)];
}

void rewrite_statistics(Graph& graph, Values outputs) {
  graph.replace(rewrite(graph, outputs, {}, {.conv_statistics = true}).lists);
}

// A network of x and its gradients; what a run of it leaves, the states last.
struct Network {
  Graph g;
  Value x = g.input("x", {{2, 20, 18, 5}});
  std::vector<Value> states, wrt{x}, outputs;

  Value state(const char* name, const Shape& shape) { return states.emplace_back(g.state(name, {shape})); }
  Value parameter(const char* name, const Shape& shape) { return wrt.emplace_back(state(name, shape)); }
  BatchNorm norm(std::int64_t channels) {
    const Shape s = vector_shape(channels);
    const Value gamma = parameter("gamma", s), beta = parameter("beta", s);
    return {.gamma = gamma, .beta = beta, .running_mean = state("mean", s), .running_var = state("variance", s)};
  }
  Value conv1(Value v, std::int64_t channels) { return conv(v, parameter("w", {channels, 1, 1, v.shape().c}), {}, {}); }
  Value conv3(Value v, std::int64_t channels) {
    return conv(v, parameter("w", {channels, 3, 3, v.shape().c}), {}, {.pad = 1});
  }
  void finish(Value y) {
    outputs = grad(dot(y, activation(y, tanh_activation)), wrt);
    outputs.insert(outputs.begin(), y);
  }

  std::vector<std::vector<float>> run(float offset, float broken = 0) {
    Program::Bindings bindings;
    std::vector<Buffer> memory;
    auto fill = [](const Tensor& t, int seed) {
      for (std::int64_t i = 0; i < t.elements(); ++i)
        t.f32()[i] = 0.5f + 0.4f * std::sin(static_cast<float>(i) * 0.71f + static_cast<float>(seed));
    };
    for (const Value& v : states) {
      memory.emplace_back("state", v.spec().bytes());
      fill(bindings[v.id] = memory.back().tensor(v.spec()), v.id);
    }
    Program program(g, plan(g, outputs), bindings);
    const Tensor in = program.tensor(x);
    fill(in, 3);
    for (std::int64_t i = 0; i < in.elements(); ++i) in.f32()[i] += offset;
    in.f32()[7] += broken;
    Stream stream;
    program.run(stream);
    std::vector<std::vector<float>> all;
    auto keep = [&](const Tensor& t) { all.emplace_back(t.f32(), t.f32() + t.elements()); };
    for (const Value& v : outputs) keep(program.tensor(v));
    for (const Value& v : states) keep(bindings.at(v.id));
    return all;
  }
};

// relu(batch_norm(conv(x)))
struct AfterConvolution : Network {
  AfterConvolution() {
    const Value y = conv3(x, 9);
    finish(batch_norm(y, norm(9), relu_activation));
  }
};

struct ResPathUnit : Network {
  ResPathUnit() {
    const Value shortcut = conv1(x, 9), residual = conv3(x, 9);
    const BatchNorm of_shortcut = norm(9), of_residual = norm(9);
    finish(respath_tail(shortcut, residual, of_shortcut, of_residual, norm(9)));
  }
};

struct MultiResBlock : Network {
  MultiResBlock() {
    const Value f1 = next(x, 3), f2 = next(f1, 4), f3 = next(f2, 6), shortcut = conv1(x, 13);
    const BatchNorm of_shortcut = norm(13), of_branch = norm(13);
    const Pooled made = multires_tail_pooled(f1, f2, f3, shortcut, of_shortcut, of_branch, norm(13));
    finish(add(max_pool2(made.y), made.pooled));
  }
  Value next(Value v, std::int64_t channels) {
    const Value y = conv3(v, channels);
    return batch_norm(y, norm(channels), relu_activation);
  }
};

// The plain network and the rewritten one.
struct Pair {
  std::unique_ptr<Network> plain, fused;
};
template <class N>
Pair pair() {
  Pair p{std::make_unique<N>(), std::make_unique<N>()};
  rewrite_statistics(p.fused->g, p.fused->outputs);
  return p;
}
const auto pairs = {pair<AfterConvolution>, pair<ResPathUnit>, pair<MultiResBlock>};

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double off = 0, all = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    off += std::pow(double{a[i]} - double{b[i]}, 2);
    all += std::pow(double{b[i]}, 2);
  }
  return std::sqrt(off / all);
}

}  // namespace

TEST_CASE("conv statistics: a batch norm after a convolution becomes its statistics and a map") {
  AfterConvolution n;
  const std::size_t before = n.g.nodes().size();
  rewrite_statistics(n.g, n.outputs);
  CHECK(has(n.g, "conv s1 p1 + sums"));
  CHECK(has(n.g, "batch_norm statistics"));
  CHECK(has(n.g, "batch_norm recomputed"));
  CHECK_FALSE(has(n.g, "batch_norm"));
  CHECK_FALSE(has(n.g, "conv s1 p1"));
  CHECK(n.g.nodes().size() <= before + 1);
}

TEST_CASE("conv statistics: a tail takes the sums of shortcut and branch where convolutions make them") {
  auto tail_of = [](const Graph& g) {
    const auto found = std::find_if(g.nodes().begin(), g.nodes().end(),
                                    [](const Graph::Node& node) { return !tail_summed_inputs(*node.op).empty(); });
    REQUIRE(found != g.nodes().end());
    return *found;
  };
  auto bytes_of = [](const Graph& g, const Graph::Node& node) { return cost_on({}, g, node).bytes; };
  SECTION("a ResPath unit: of both") {
    const Pair p = pair<ResPathUnit>();
    const Graph::Node plain = tail_of(p.plain->g), fused = tail_of(p.fused->g);
    REQUIRE(fused.inputs.size() == plain.inputs.size() + 2);
    const Value shortcut_sums = fused.inputs[plain.inputs.size()], branch_sums = fused.inputs.back();
    CHECK(maker(p.fused->g, shortcut_sums).op->name() == "conv s1 p0 + sums");
    CHECK(maker(p.fused->g, shortcut_sums).outputs[0] == fused.inputs[1]);
    CHECK(maker(p.fused->g, branch_sums).op->name() == "conv s1 p1 + sums");
    CHECK(maker(p.fused->g, branch_sums).outputs[0] == fused.inputs[0]);
    const auto tensor = static_cast<double>(fused.outputs[0].spec().bytes()), sums = 2.0 * 9 * sizeof(float);
    CHECK(bytes_of(p.plain->g, plain) == 7 * tensor);
    CHECK(bytes_of(p.fused->g, fused) == 5 * tensor + 2 * sums);
  }
  SECTION("a block: of the shortcut") {
    const Pair p = pair<MultiResBlock>();
    const Graph::Node plain = tail_of(p.plain->g), fused = tail_of(p.fused->g);
    REQUIRE(fused.inputs.size() == plain.inputs.size() + 1);
    CHECK(maker(p.fused->g, fused.inputs.back()).outputs[0] == fused.inputs[3]);
    const auto tensor = static_cast<double>(fused.outputs[0].spec().bytes()), sums = 2.0 * 13 * sizeof(float);
    CHECK(bytes_of(p.plain->g, plain) == 7.25 * tensor);
    CHECK(bytes_of(p.fused->g, fused) == 6.25 * tensor + sums);
  }
  SECTION("of the one that a convolution without bias makes") {
    Network n;
    const Value shortcut = conv(n.x, n.parameter("w", {5, 1, 1, 5}), n.parameter("bias", vector_shape(5)), {});
    const Value residual = n.conv3(n.x, 5);
    const BatchNorm of_shortcut = n.norm(5), of_residual = n.norm(5);
    n.finish(respath_tail(shortcut, residual, of_shortcut, of_residual, n.norm(5)));
    const Graph::Node plain = tail_of(n.g);
    rewrite_statistics(n.g, n.outputs);
    const Graph::Node fused = tail_of(n.g);
    REQUIRE(fused.inputs.size() == plain.inputs.size() + 2);
    CHECK_FALSE(fused.inputs[plain.inputs.size()]);
    CHECK(maker(n.g, fused.inputs.back()).op->name() == "conv s1 p1 + sums");
    CHECK(has(n.g, "conv s1 p0"));
  }
  SECTION("of none: it stays") {
    Graph g;
    const Value a = g.input("a", {{1, 8, 8, 3}}), b = g.input("b", {{1, 8, 8, 3}});
    auto vector = [&](const char* name) { return g.state(name, {vector_shape(3)}); };
    auto norm = [&] { return BatchNorm{.beta = vector("b"), .running_mean = vector("m"), .running_var = vector("v")}; };
    const BatchNorm first = norm(), second = norm();
    const std::vector<Value> outputs{respath_tail(a, b, first, second, norm())};
    const std::vector<Value> inputs = tail_of(g).inputs;
    const Rewritten r = rewrite(g, outputs, {}, {.conv_statistics = true});
    CHECK(r.changes.at(0).places == 0);
    CHECK(r.lists.nodes.at(0).inputs == inputs);
  }
}

TEST_CASE("conv statistics: a convolution whose output two norms read sums it once") {
  Network n;
  const Value y = n.conv3(n.x, 9);
  const BatchNorm of_shortcut = n.norm(9), of_residual = n.norm(9);
  const Value end = respath_tail(y, y, of_shortcut, of_residual, n.norm(9));
  n.finish(add(end, batch_norm(y, n.norm(9))));
  const Rewritten r = rewrite(n.g, n.outputs, {}, {.conv_statistics = true});
  CHECK(r.changes.at(0).places == 3);
  n.g.replace(r.lists);
  const std::vector<std::string> all = names(n.g);
  CHECK(std::count(all.begin(), all.end(), "conv s1 p1 + sums") == 1);
  for (const Graph::Node& node : n.g.nodes())
    if (node.op->name() == "conv s1 p1 + sums") CHECK(node.outputs.size() == 2);
}

TEST_CASE("conv statistics: outputs, gradients and running statistics are equal to rounding") {
  // The sums are f32: a mean that is k deviations large costs the variance k^2 roundings. Of the shifts' gradients,
  // sums over the pixels, some nearly cancel.
  const auto [offset, allowed] = GENERATE(std::pair{0.0f, 3e-4}, std::pair{10.0f, 2e-2});
  const auto make = GENERATE(values(pairs));
  const Pair p = make();
  const auto expected = p.plain->run(offset), values = p.fused->run(offset);
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    INFO("offset " << offset << ", value " << i);
    CHECK(distance(values[i], expected[i]) <= allowed);
  }
}

TEST_CASE("conv statistics: what is not finite leaves the running statistics alone and is seen in the output") {
  const auto make = GENERATE(values(pairs));
  const Pair p = make();
  for (const float broken : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const auto expected = p.plain->run(0, broken), values = p.fused->run(0, broken);
    const std::size_t states = p.plain->states.size();
    for (std::size_t i = values.size() - states; i < values.size(); ++i) CHECK(values[i] == expected[i]);
    CHECK(std::any_of(values[0].begin(), values[0].end(), [](float v) { return !std::isfinite(v); }));
  }
}

TEST_CASE("conv statistics: a convolution with bias or activation, and a norm of something else, stay") {
  Graph g;
  const Value x = g.input("x", {{1, 8, 8, 3}}), w = g.state("w", {{3, 1, 1, 3}});
  auto vector = [&](const char* name) { return g.state(name, {vector_shape(3)}); };
  auto norm = [&](Value v) {
    return batch_norm(v, {.beta = vector("b"), .running_mean = vector("m"), .running_var = vector("v")});
  };
  const std::vector<Value> outputs{norm(conv(x, w, vector("bias"), {})), norm(conv(x, w, {}, {}, relu_activation)),
                                   norm(activation(x, tanh_activation))};
  const std::vector<std::string> before = names(g);
  rewrite_statistics(g, outputs);
  CHECK(names(g) == before);
}
