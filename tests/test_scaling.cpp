// Steps over many ranks, reckoned: the simulation against cases worked out by hand, and what it is fed with.
#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <numeric>

#include "bench/scaling.h"
#include "tests/support/error_kind.h"

using namespace ipa;
using namespace ipa::bench;

namespace {

StepEvent compute(double seconds) { return {StepEvent::Kind::compute, seconds}; }
StepEvent start(double bytes) { return {StepEvent::Kind::start, bytes}; }
constexpr StepEvent finish{StepEvent::Kind::finish};

// A byte takes a second.
SimulatedStep run(const std::vector<StepEvent>& events) {
  return simulate(events, [](double bytes) { return bytes; });
}

StepOptions small(std::int64_t batch) {
  StepOptions o;
  o.net = {.width = 4, .disc_width = 4};
  o.loss.style = 0;
  o.batch = batch;
  o.size = 96;
  o.bucket_bytes = 20'000;
  return o;
}

double total(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

}  // namespace

TEST_CASE("a step without all-reduces takes the time of its computation", "[scaling]") {
  const SimulatedStep step = run({compute(1), compute(2.5)});
  CHECK(step.seconds == 3.5);
  CHECK(step.compute == 3.5);
  CHECK(step.communication == 0);
  CHECK(step.exposed() == 0);
}

TEST_CASE("an all-reduce that is waited for at once is exposed whole", "[scaling]") {
  const SimulatedStep step = run({compute(1), start(2), finish, compute(3)});
  CHECK(step.seconds == 6);
  CHECK(step.exposed() == 2);
  CHECK(step.communication == 2);
}

TEST_CASE("an all-reduce beside a longer computation costs nothing", "[scaling]") {
  const SimulatedStep step = run({compute(1), start(1), compute(3), finish, compute(0.5)});
  CHECK(step.seconds == 4.5);
  CHECK(step.exposed() == 0);
  CHECK(step.communication == 1);
}

TEST_CASE("of buckets that hide but for a large last one, that one is exposed", "[scaling]") {
  // The queue: 0.5 s from 1 to 1.5, then 4 s from 2 to 6.
  const SimulatedStep step = run({compute(1), start(0.5), compute(1), start(4), finish, compute(0.5)});
  CHECK(step.seconds == 6.5);
  CHECK(step.exposed() == 4);
  CHECK(step.communication == 4.5);
}

TEST_CASE("all-reduces wait for their turn", "[scaling]") {
  // 3 s from 1 to 4; the second is ready at 2, and runs from 4 to 5.
  const SimulatedStep step = run({compute(1), start(3), compute(1), start(1), compute(1), finish});
  CHECK(step.seconds == 5);
  CHECK(step.exposed() == 2);
}

TEST_CASE("a step ends with its last all-reduce, and each network's sums are waited for before its update",
          "[scaling]") {
  CHECK(run({compute(1), start(2)}).seconds == 3);
  // One network: from 1 to 2, hidden. The next: 2 s from 3 on, of which one is.
  const SimulatedStep step = run({compute(1), start(1), compute(1), finish, compute(1), start(2), compute(1), finish});
  CHECK(step.seconds == 5);
  CHECK(step.exposed() == 1);
}

TEST_CASE("the model of links: latency and bus bytes, the slower link between nodes", "[scaling]") {
  const LinkModel links{.node_ranks = 4, .within = {10, 100}, .between = {30, 50}};
  CHECK(links.seconds(1e9, 1) == 0);
  CHECK(links.seconds(1e9, 2) == Approx(10e-6 + 1e9 * 2 * 1 / 2 / 100e9));
  CHECK(links.seconds(1e9, 4) == Approx(10e-6 + 1e9 * 2 * 3 / 4 / 100e9));
  CHECK(links.seconds(1e9, 16) == Approx(10e-6 + 2 * 30e-6 + 1e9 * 2 * 15 / 16 / 50e9));
}

TEST_CASE("a measured curve: between its points, beyond them, and for other numbers of ranks", "[scaling]") {
  const AllReduceCurve curve{2, {{1000, 1e-3}, {2000, 2e-3}, {4000, 3e-3}}};
  CHECK(curve.seconds(10, 2) == Approx(1e-3));
  CHECK(curve.seconds(1500, 2) == Approx(1.5e-3));
  CHECK(curve.seconds(4000, 2) == Approx(3e-3));
  CHECK(curve.seconds(8000, 2) == Approx(6e-3));
  CHECK(curve.seconds(4000, 1) == 0);
  CHECK(curve.seconds(4000, 4) == Approx(2 * 1e-3 + 2e-3 * (2 * 3.0 / 4) / 1));  // twice the doublings; bus bytes
}

TEST_CASE("buckets come from the step's graph, each before the backward pass is over", "[scaling]") {
  const DescribedStep step = describe_step(small(2), Device{}, true), alone = describe_step(small(2), Device{}, false);
  CHECK(alone.buckets().empty());

  Gan gan;
  const StepGraph graph(gan, small(2));
  double bytes = 0;
  for (const Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch})
    bytes += static_cast<double>(p->flat_spec().bytes() + p->statistics_spec().bytes()) + 4 * Parameters::report_room;
  CHECK(total(step.buckets()) == bytes);
  CHECK(step.buckets().size() > 3 * 3);  // several of each network, and its statistics

  // A gradient of the generator sets out while others of it are still to be computed.
  std::vector<std::size_t> starts, wgrads;
  for (std::size_t i = 0; i < step.parts.size(); ++i) {
    if (step.parts[i].kind == StepEvent::Kind::start) starts.push_back(i);
    if (step.parts[i].op.find("wgrad") != std::string::npos) wgrads.push_back(i);
  }
  REQUIRE(!wgrads.empty());
  const auto before_last =
      std::count_if(starts.begin(), starts.end(), [&](std::size_t i) { return i < wgrads.back(); });
  CHECK(before_last > 3);
}

TEST_CASE("measured times of a step keep each kind's multiple of its roof at other batches", "[scaling]") {
  const DescribedStep two = describe_step(small(2), Device{}, false), four = describe_step(small(4), Device{}, false);
  const ComputeTimes roof = ComputeTimes::of_roof(10, 100, 1, 0);
  std::map<std::string, std::pair<double, double>> kinds;  // seconds, FLOPs
  for (const DescribedStep::Part& part : two.parts) {
    const double slower = part.op.starts_with("conv") ? 2 : 5;
    kinds[part.op].first += slower * roof.seconds(part);
    kinds[part.op].second += part.cost.flops;
  }
  nlohmann::json json{{"task", "step"}, {"batch", 2}, {"roof", {{"copy_gb_s", 10}, {"gflop_s", 100}}}};
  double profiled = 0;
  for (const auto& [op, found] : kinds) {
    json["ops"].push_back({{"op", op}, {"seconds", found.first}, {"flops", found.second}});
    profiled += found.first;
  }
  json["seconds"] = 0.9 * profiled;  // the step as a whole is faster than its launches one by one
  CHECK(ComputeTimes::batch_of_measurement(json.dump(), "f") == 2);
  const ComputeTimes measured = ComputeTimes::of_measurement(json.dump(), "f", two);
  for (const DescribedStep* step : {&two, &four})
    for (const DescribedStep::Part& part : step->parts)
      CHECK(measured.seconds(part) ==
            Approx(0.9 * (part.op.starts_with("conv") ? 2 : 5) * roof.seconds(part)).margin(1e-12));

  CHECK(error_kind([&] { ComputeTimes::of_measurement(json.dump(), "f", four); }, "is of another step") == 3);
  CHECK(error_kind([&] { ComputeTimes::of_measurement("{}", "f", two); }, "not the JSON of a step, f") == 3);
  CHECK(error_kind([&] { ComputeTimes::of_measurement("nothing", "f", two); }, "not the JSON of a step, f") == 3);
}

TEST_CASE("weak scaling is perfect over links without cost, strong scaling keeps what does not shrink", "[scaling]") {
  const std::vector<int> ranks{1, 2, 3, 4};
  const ComputeTimes roof = ComputeTimes::of_roof(100, 1000, 1, 0), gaps = ComputeTimes::of_roof(100, 1000, 1, 1e6);
  const AllReduceTime nothing = [](double, int) { return 0.0; };
  const AllReduceTime second = [](double, int r) { return r > 1 ? 1.0 : 0.0; };

  const std::vector<ScalingRow> free = weak_scaling(small(2), Device{}, roof, nothing, ranks);
  for (const ScalingRow& row : free) CHECK(row.efficiency == Approx(1).epsilon(0.02));
  const std::vector<ScalingRow> dear = weak_scaling(small(2), Device{}, roof, second, ranks);
  CHECK(dear[0].efficiency == 1);
  CHECK(dear[1].step.exposed() > 3);  // the last bucket of each network is always exposed
  CHECK(dear[1].efficiency == Approx(free[0].step.seconds / dear[1].step.seconds));

  const std::vector<ScalingRow> strong = strong_scaling(small(1), Device{}, gaps, nothing, ranks, 4);
  REQUIRE(strong.size() == 3);  // 3 does not divide 4
  CHECK(strong[0].efficiency == 1);
  CHECK(strong[2].batch == 1);
  CHECK(strong[2].efficiency < 0.25);  // a second a launch, however small
  CHECK(strong[2].efficiency > 0.2);
}
