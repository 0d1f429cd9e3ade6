// What the cases of the tails cannot ask of their device code: that the pooled gradient goes to the very pixels that
// are the maxima of the y in memory, ties of bf16 included, and that statistics which are not finite move nothing.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "tests/support/device_under_test.h"
#include "tests/support/dot.h"
#include "tests/support/run_case.h"
#include "tests/support/tail_case.h"

using namespace ipa;
using namespace ipa::test;

namespace {

using Arrays = std::vector<Array>;
using ValueList = std::vector<Value>;

constexpr Shape shape{1, 12, 14, 69};  // channels for several warps
constexpr Device device{Device::Kind::cuda, 0};

// Inputs: the three convolutions, the shortcut, the gradients of y and (of) pooled in eighths, so that bf16 can hold
// their sums, then the norms'. Outputs: y, pooled, the gradients of the first four; then the running statistics.
OpCase tail_with_gradients(bool pooled) {
  OpCase k{.name = "tail"};
  for (const std::int64_t c : {std::int64_t{2}, std::int64_t{24}, std::int64_t{43}, shape.c})
    k.inputs.push_back({.shape = {shape.n, shape.h, shape.w, c}, .low = -1.5});
  const auto eighths = [](double x) { return std::round(8 * x) / 8; };
  k.inputs.push_back({.shape = shape, .map = eighths});
  k.inputs.push_back({.shape = {shape.n, shape.h / 2, shape.w / 2, shape.c}, .map = eighths});
  const NormInputs shortcut(k, shape.c, false, 1e-3f, 0.1f), concat(k, shape.c, true, 1e-3f, 0.1f),
      out(k, shape.c, true, 1e-3f, 0.1f);
  k.build = [=](Graph&, const ValueList& in) {
    const ValueList wrt{in[0], in[1], in[2], in[3]};
    ValueList result;
    if (pooled) {
      const Pooled made =
          multires_tail_pooled(in[0], in[1], in[2], in[3], shortcut.norm(in), concat.norm(in), out.norm(in));
      result = grad(add(dot(made.y, in[4]), dot(made.pooled, in[5])), wrt);
      result.insert(result.begin(), {made.y, made.pooled});
    } else {
      const Value y = multires_tail(in[0], in[1], in[2], in[3], shortcut.norm(in), concat.norm(in), out.norm(in));
      result = grad(dot(y, in[4]), wrt);
      result.insert(result.begin(), y);
    }
    return result;
  };
  return k;
}

CaseResult run(bool pooled, const Arrays& inputs) {
  return run_case(tail_with_gradients(pooled), inputs, false, 1, {.device = device, .activations = DType::bf16});
}

// Element of pixel `k` of the window that element `i` of the pooled image stands for.
std::int64_t element(std::int64_t i, int k) {
  const std::int64_t pixel = i / shape.c, row = 2 * (pixel / (shape.w / 2)) + k / 2,
                     column = 2 * (pixel % (shape.w / 2)) + k % 2;
  return (row * shape.w + column) * shape.c + i % shape.c;
}

}  // namespace

TEST_CASE("a pooled tail's gradient goes to the maxima of the y in memory", "[tail]") {
  Arrays inputs = case_inputs(tail_with_gradients(true), 5, DType::bf16);
  const CaseResult pooled = run(true, inputs);
  const Array &y = pooled.outputs[0], &maxima = pooled.outputs[1];
  int ties = 0;
  for (std::int64_t i = 0; i < maxima.size(); ++i) {
    int winner = 0;
    for (int k = 1; k < 4; ++k) {
      ties += y[element(i, k)] == y[element(i, winner)];
      if (y[element(i, k)] > y[element(i, winner)]) winner = k;
    }
    REQUIRE(maxima[i] == y[element(i, winner)]);
    inputs[4][element(i, winner)] += inputs[5][i];
  }
  CHECK(ties > 20);  // or the test would not be one

  const CaseResult plain = run(false, inputs);
  CHECK(plain.outputs[0].v == y.v);
  for (std::size_t k = 0; k < 4; ++k) {
    INFO("gradient " << k);
    CHECK(relative_distance(pooled.outputs[2 + k], plain.outputs[1 + k]) <= 1e-3);
  }
}

TEST_CASE("a tail's running statistics move only where those of the batch are finite", "[tail]") {
  Arrays inputs = case_inputs(tail_with_gradients(true), 6, DType::bf16);
  const std::size_t states = 6;  // among the outputs: mean and variance of shortcut, concat, out
  for (const bool of_shortcut : {false, true}) {
    Arrays broken = inputs;
    broken[of_shortcut ? 3 : 1][7] = std::numeric_limits<double>::quiet_NaN();
    for (std::uint64_t schedule = 0; schedule < 8; ++schedule) {
      INFO("of the shortcut: " << of_shortcut << ", schedule " << schedule);
      set_schedule(schedule);
      const CaseResult result = run(true, broken);
      const CaseResult sound = run(true, inputs);
      auto moved = [&](std::size_t state, std::size_t input) {
        return result.outputs[states + state].v != inputs[input].v;
      };
      auto as_if_sound = [&](std::size_t state) {
        return result.outputs[states + state].v == sound.outputs[states + state].v;
      };
      for (const std::size_t k : {std::size_t{0}, std::size_t{1}}) {
        CHECK(moved(k, 7 + k) == !of_shortcut);
        CHECK(as_if_sound(k) == !of_shortcut);
        CHECK(moved(2 + k, 10 + k) == of_shortcut);
        CHECK(as_if_sound(2 + k) == of_shortcut);
        CHECK_FALSE(moved(4 + k, 14 + k));
      }
    }
  }
  set_schedule(0);
}
