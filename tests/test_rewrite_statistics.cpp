// Batch norm's statistics from sums that the convolution before it leaves: equal to rounding.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "graph/ops.h"
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

void rewrite_statistics(Graph& graph, Values outputs) {
  graph.replace(rewrite(graph, outputs, {}, {.conv_statistics = true}).lists);
}

// relu(batch_norm(conv(x))) and its gradients; what a run of it leaves, the running statistics last.
struct Network {
  Graph g;
  Value x = g.input("x", {{2, 20, 18, 5}}), w = g.state("w", {{9, 3, 3, 5}}), gamma = vector("gamma"),
        beta = vector("beta"), mean = vector("mean"), variance = vector("variance");
  Value y = batch_norm(conv(x, w, {}, {.pad = 1}),
                       {.gamma = gamma, .beta = beta, .running_mean = mean, .running_var = variance}, relu_activation);
  std::vector<Value> outputs = grad(dot(y, activation(y, tanh_activation)), std::vector<Value>{x, w, gamma, beta});

  Network() { outputs.insert(outputs.begin(), y); }
  Value vector(const char* name) { return g.state(name, {vector_shape(9)}); }

  std::vector<std::vector<float>> run(float offset, float broken = 0) {
    Program::Bindings bindings;
    std::vector<Buffer> memory;
    auto fill = [](const Tensor& t, int seed) {
      for (std::int64_t i = 0; i < t.elements(); ++i)
        t.f32()[i] = 0.5f + 0.4f * std::sin(static_cast<float>(i) * 0.71f + static_cast<float>(seed));
    };
    for (const Value& v : {w, gamma, beta, mean, variance}) {
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
    keep(bindings.at(mean.id));
    keep(bindings.at(variance.id));
    return all;
  }
};

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
  Network n;
  const std::size_t before = n.g.nodes().size();
  rewrite_statistics(n.g, n.outputs);
  CHECK(has(n.g, "conv s1 p1 + sums"));
  CHECK(has(n.g, "batch_norm statistics"));
  CHECK(has(n.g, "batch_norm recomputed"));
  CHECK_FALSE(has(n.g, "batch_norm"));
  CHECK_FALSE(has(n.g, "conv s1 p1"));
  CHECK(n.g.nodes().size() <= before + 1);
}

TEST_CASE("conv statistics: outputs, gradients and running statistics are equal to rounding") {
  // The sums are f32: a mean that is k deviations large costs the variance k^2 roundings.
  const auto [offset, allowed] = GENERATE(std::pair{0.0f, 2e-5}, std::pair{10.0f, 2e-2});
  Network plain, fused;
  rewrite_statistics(fused.g, fused.outputs);
  const auto expected = plain.run(offset), values = fused.run(offset);
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    INFO("offset " << offset << ", value " << i);
    CHECK(distance(values[i], expected[i]) <= allowed);
  }
}

TEST_CASE("conv statistics: what is not finite leaves the running statistics alone and is seen in the output") {
  Network plain, fused;
  rewrite_statistics(fused.g, fused.outputs);
  for (const float broken : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const auto expected = plain.run(0, broken), values = fused.run(0, broken);
    CHECK(values[values.size() - 2] == expected[expected.size() - 2]);
    CHECK(values.back() == expected.back());
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
