// A NaN in an operand must reach the loss and, at its place, the gradient.
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

#include "engine/transfer.h"
#include "graph/ops.h"
#include "graph/program.h"

using namespace ipa;

namespace {

constexpr Device device{Device::Kind::cuda, 0};
constexpr Shape shape{2, 5, 7, 3};
constexpr std::size_t bad = 100;  // in the second image

using Build = std::function<Value(Graph&, Value x)>;

void check_nan(DType dtype, const Build& build) {
  Graph graph;
  const Value x = graph.input("x", {shape, dtype}), loss = build(graph, x), dx = grad(loss, std::vector{x}).front();
  Program program(graph, plan(graph, std::vector{loss, dx}, {.device = device}), {});
  std::vector<float> values(static_cast<std::size_t>(shape.elements()), 0.25f);
  Stream stream(device);
  for (const bool poisoned : {false, true}) {
    if (poisoned) values[bad] = std::nanf("");
    from_host(values, program.tensor(x));
    program.run(stream);
    stream.wait();
    CHECK(std::isnan(to_host(program.tensor(loss))[0]) == poisoned);
    const std::vector<float> d = to_host(program.tensor(dx));
    CHECK(std::isnan(d[bad]) == poisoned);
    CHECK(std::isfinite(d[0]));
    CHECK(d[0] != 0);
  }
}

}  // namespace

TEST_CASE("A NaN reaches every loss and its gradient on the device") {
  const DType dtype = GENERATE(DType::f32, DType::bf16);
  auto filled = [&](Graph& g, const Shape& s, float value) { return constant(g, {s, dtype}, value); };
  check_nan(dtype, [&](Graph&, Value x) { return bce_with_logits(x, 1); });
  check_nan(dtype, [&](Graph& g, Value x) { return l1_loss(x, filled(g, shape, 1)); });
  check_nan(dtype, [&](Graph& g, Value x) { return l1_loss(filled(g, shape, 1), x); });
  check_nan(dtype, [&](Graph& g, Value x) {
    return masked_l1_loss(x, filled(g, shape, 1), filled(g, {shape.n, shape.h, shape.w, 1}, 1));
  });
  check_nan(dtype, [&](Graph&, Value x) { return squared_norm(x); });
}
