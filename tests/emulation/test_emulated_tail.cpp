// What the cases of the tails cannot ask of their device code: that the pooled gradient goes to the very pixels that
// are the maxima of the y in memory, ties of bf16 included, and that statistics which are not finite move nothing. And,
// of both backends, that sums which are known stand for those that the tail takes itself.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "engine/buffer.h"
#include "engine/transfer.h"
#include "kernels/channel_sums.h"
#include "kernels/tail.h"
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

namespace {

// tail_forward on 2 x 9 x 10 pixels, its branch one tensor or three side by side; some sums are given to it.
class Forward {
 public:
  // Of the branch's parts; of the sums that it is given.
  Forward(Device d, DType t, std::vector<std::int64_t> widths, double factor = 1)
      : device_(d), dtype_(t), widths_(std::move(widths)), factor_(factor) {}

  struct Result {
    Array y, statistics;
    Arrays before, running;  // mean and variance of shortcut, branch, out
  };

  Result run(bool know_shortcut, bool know_branch) {
    std::int64_t channels = 0;
    for (const std::int64_t c : widths_) channels += c;
    const Shape whole{2, 9, 10, channels};
    Array of_branch({1, 1, 2, channels});
    std::vector<Tensor> branch;
    std::int64_t at = 0;
    for (const std::int64_t c : widths_) {
      const Array part = fill(random_array({2, 9, 10, c}, -1, 2, unsigned(c)), dtype_, branch.emplace_back());
      add_sums(of_branch, at, part);
      at += c;
    }
    Tensor shortcut, y, statistics, sums_of_shortcut, sums_of_branch;
    Array of_shortcut({1, 1, 2, channels});
    add_sums(of_shortcut, 0, fill(random_array(whole, -2, 1, 77), dtype_, shortcut));
    fill(of_shortcut, DType::f32, sums_of_shortcut);
    fill(of_branch, DType::f32, sums_of_branch);
    fill(Array(whole), dtype_, y);
    fill(Array(tail_statistics_shape(channels)), DType::f32, statistics);

    TailNorms norms;
    std::vector<Tensor> running;
    Arrays before;
    unsigned seed = 100;
    for (NormParameters* p : {&norms.shortcut, &norms.branch, &norms.out}) {
      for (Tensor* t : {&p->beta, &p->gamma, &p->running_mean, &p->running_var})
        fill(random_array(vector_shape(channels), 0.5, 1.5, ++seed), DType::f32, *t);
      for (const Tensor& t : {p->running_mean, p->running_var}) {
        running.push_back(t);
        before.push_back(from_tensor(t));
      }
    }
    const std::size_t bytes = tail_workspace_bytes(device_, whole);
    buffers_.emplace_back("workspace", bytes, device_);
    copy_to_device(std::vector<unsigned char>(bytes, 0xFF).data(), bytes, buffers_.back().data(), device_);
    Stream stream(device_);
    tail_forward(stream, y, {}, statistics, shortcut, branch, norms,
                 {know_shortcut ? sums_of_shortcut : Tensor{}, know_branch ? sums_of_branch : Tensor{}},
                 widths_.size() == 1 ? relu_activation : no_activation, buffers_.back().data());
    stream.wait();
    Result r{from_tensor(y), from_tensor(statistics), std::move(before), {}};
    for (const Tensor& t : running) r.running.push_back(from_tensor(t));
    return r;
  }

 private:
  // Makes `t` of `a`; returns what is in it.
  Array fill(const Array& a, DType type, Tensor& t) {
    const TensorSpec spec{a.shape, type};
    buffers_.emplace_back("tensor", bytes_on(device_, spec), device_);
    t = buffers_.back().tensor(spec);
    to_tensor(a, t);
    return from_tensor(t);
  }
  void add_sums(Array& sums, std::int64_t at, const Array& x) const {
    for (std::int64_t i = 0; i < x.size(); ++i) {
      const std::int64_t c = at + i % x.shape.c;
      sums[c] += factor_ * x[i];
      sums[sums.shape.c + c] += factor_ * x[i] * x[i];
    }
  }

  Device device_;
  DType dtype_;
  std::vector<std::int64_t> widths_;
  double factor_;
  std::vector<Buffer> buffers_;
};

}  // namespace

TEST_CASE("a tail given the sums of its inputs has the statistics that it takes of them itself", "[tail]") {
  const Device on = GENERATE(Device{}, device_under_test);
  const DType dtype = GENERATE(DType::f32, DType::bf16);
  const std::vector<std::int64_t> widths =
      GENERATE(std::vector<std::int64_t>{17}, std::vector<std::int64_t>{300}, std::vector<std::int64_t>{2, 24, 43});
  if (on.is_cpu() && dtype == DType::bf16) return;
  const Forward::Result own = Forward(on, dtype, widths).run(false, false);
  for (const auto& [shortcut, branch] : {std::pair{true, true}, {true, false}, {false, true}}) {
    INFO("known: of the shortcut " << shortcut << ", of the branch " << branch);
    const Forward::Result known = Forward(on, dtype, widths).run(shortcut, branch);
    CHECK(relative_distance(known.y, own.y) <= (dtype == DType::f32 ? 1e-5 : 1e-3));
    CHECK(relative_distance(known.statistics, own.statistics) <= 1e-5);
    for (std::size_t i = 0; i < own.running.size(); ++i)
      CHECK(relative_distance(known.running[i], own.running[i]) <= 1e-6);

    // Of sums twice as large the mean is: they were used, and no others.
    const Forward::Result twice = Forward(on, dtype, widths, 2).run(shortcut, branch);
    for (std::int64_t c = 0; c < own.y.shape.c; ++c)
      for (const std::int64_t row : {0, 2}) {
        const std::int64_t at = row * own.y.shape.c + c;
        REQUIRE(twice.statistics[at] == known.statistics[at] * ((row == 0 ? shortcut : branch) ? 2 : 1));
      }
  }
}

TEST_CASE("a tail's running statistics stay where the sums it is given are not finite", "[tail]") {
  const Device on = GENERATE(Device{}, device_under_test);
  for (unsigned schedule = 0; schedule < 4; ++schedule) {
    set_schedule(schedule);
    const Forward::Result moved = Forward(on, DType::f32, {300}).run(true, true),
                          stayed =
                              Forward(on, DType::f32, {300}, std::numeric_limits<double>::infinity()).run(true, true);
    for (std::size_t i = 0; i < moved.running.size(); ++i) {
      INFO("schedule " << schedule << ", state " << i);
      CHECK(moved.running[i].v != moved.before[i].v);
      CHECK(stayed.running[i].v == stayed.before[i].v);
    }
  }
  set_schedule(0);
}
