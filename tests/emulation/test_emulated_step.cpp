// A whole training step of the GAN on the device against PyTorch in double: every gradient, running statistics,
// metrics. Under the emulator all is device code but convolutions and matrix products, which the CPU makes in fp32.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "engine/transfer.h"
#include "tests/support/device_under_test.h"
#include "tests/support/golden_step.h"

using namespace ipa;
using namespace ipa::test;

namespace {

// What is allowed in bf16, in errors of PyTorch's bf16. A whole network's gradient averages over thousands of
// roundings, a single tensor's over few: where PyTorch's error of one is luckily small, `floor` stands for it.
constexpr double allowed_network = 2, allowed_tensor = 4, floor = 0.01;
constexpr double allowed_running = 4;
constexpr double allowed_metric = 4, floor_metric = 1e-3;
// Metrics of the second and third step, relative: Adam's first steps are nearly the sign of each gradient.
constexpr double allowed_later = 2e-2;
// In fp32 storage, in errors of PyTorch's float32: as tests/test_golden_step.cpp.
constexpr double allowed_float32 = 10, allowed_float32_shifted = 20;

// Collects distances and tells the largest.
struct Worst {
  std::string what;
  double most = 0;
  std::string name = "none";
  void add(const std::string& of, double distance, double allowed) {
    if (!(distance <= most)) most = distance, name = of;
    INFO(of << ": " << distance);
    CHECK(distance <= allowed);
  }
  ~Worst() { WARN(what << ": worst " << name << " at " << most); }
};

void check_gradients_bf16(const Golden& golden, const std::string& term, const Parameters& parameters) {
  const WeightMap gradients = gradients_of(parameters);
  const double all = golden.network_distance_in_bf16_errors(term, parameters.network(), gradients);
  WARN(term << " of " << parameters.network() << ": " << all << " bf16 errors of PyTorch");
  CHECK(all <= allowed_network);
  Worst worst{"single tensors, bf16 errors"};
  for (const NamedArray& g : gradients) {
    const std::string name = "grad/" + term + "/" + g.name;
    const double error = golden.number("bf16_error/" + name);
    worst.add(name, golden.distance_in_bf16_errors(name, g.values) * std::min(1.0, error / floor), allowed_tensor);
  }
}

void check_running(const GoldenStep& run, double allowed, auto distance_of) {
  Worst worst{"running statistics"};
  for (const Parameters* p : run.networks())
    for (const Parameters::Entry& e : p->entries())
      if (!e.trainable()) worst.add(e.name, distance_of("running/" + e.name, to_host(p->value(e))), allowed);
}

std::vector<float> rounded_to_bf16(std::vector<float> values) {
  for (float& v : values) v = to_float(to_bf16(v));
  return values;
}

// Everything a step leaves behind.
std::vector<float> memory_of(const GoldenStep& run) {
  std::vector<float> all = to_host(run.trainer.fake());
  auto append = [&](const Tensor& t) {
    const std::vector<float> values = to_host(t);
    all.insert(all.end(), values.begin(), values.end());
  };
  for (const Parameters* p : run.networks()) {
    for (const Tensor& t : {p->flat_values(), p->flat_gradients(), p->flat_m(), p->flat_v(), p->updates()}) append(t);
    if (run.trainer.options().compute == DType::bf16) append(p->flat_copy());
    for (const Parameters::Entry& e : p->entries())
      if (!e.trainable()) append(p->value(e));
  }
  return all;
}

GoldenStep in_bf16(const Golden& golden, const std::optional<Rewrites>& rewrites = {}) {
  StepOptions options = golden_step_options(golden, false, DType::bf16);
  options.rewrites = rewrites;
  return {golden, options, device_under_test};
}

}  // namespace

TEST_CASE("a step in bf16 is about as far from double as PyTorch's", "[golden]") {
  const Golden golden("step_shifted");
  GoldenStep run = in_bf16(golden, GENERATE(Rewrites{}, Rewrites::all()));
  check_gradients_bf16(golden, "discriminator", run.gan.disc_global);
  check_gradients_bf16(golden, "discriminator", run.gan.disc_patch);
  check_gradients_bf16(golden, "total", run.gan.generator);
  check_running(run, allowed_running,
                [&](const auto& name, const auto& values) { return golden.distance_in_bf16_errors(name, values); });
  Worst worst{"metrics, bf16 errors"};
  for_each_metric(golden, 1, run.metrics, [&](const std::string& name, double value, double expected) {
    const double error = std::max(golden.number("bf16_error/" + name), floor_metric);
    worst.add(name, std::abs(value / expected - 1) / error, allowed_metric);
  });
  CHECK(run.metrics.finite);
  for (const Parameters* p : run.networks()) {  // convolutions read what Adam made of the masters
    INFO(p->network());
    CHECK(to_host(p->flat_copy()) == rounded_to_bf16(to_host(p->flat_values())));
  }
}

TEST_CASE("each loss alone in bf16 gives a gradient about as far from double as PyTorch's", "[golden]") {
  const Golden golden("step_shifted");
  const std::string term = GENERATE("perceptual", "style");
  const StepOptions options = with_term_alone(golden_step_options(golden, false, DType::bf16), term);
  const GoldenStep run(golden, options, device_under_test);
  check_gradients_bf16(golden, term, run.gan.generator);
}

TEST_CASE("a step in fp32 storage agrees with PyTorch as the CPU's does", "[golden]") {
  const std::string file = GENERATE("step", "step_residual", "step_shifted");
  const Golden golden(file);
  const double allowed = file == "step_shifted" ? allowed_float32_shifted : allowed_float32;
  const GoldenStep run(golden, golden_step_options(golden, file == "step_residual"), device_under_test);
  const std::pair<const Parameters*, const char*> gradients[] = {
      {&run.gan.disc_global, "discriminator"}, {&run.gan.disc_patch, "discriminator"}, {&run.gan.generator, "total"}};
  Worst worst{file + ", float32 errors"};
  auto distance_of = [&](const std::string& name, const std::vector<float>& values) {
    return golden.distance_in_float32_errors(name, values);
  };
  for (const auto& [parameters, term] : gradients)
    for (const NamedArray& g : gradients_of(*parameters)) {
      const std::string name = std::string("grad/") + term + "/" + g.name;
      worst.add(name, distance_of(name, g.values), allowed);
    }
  for (const Parameters* p : run.networks())
    for (const Parameters::Entry& e : p->entries())
      if (const std::string name = "after/" + e.name; golden.has(name))
        worst.add(name, distance_of(name, Parameters::in_file_layout(e, p->value(e)).values), allowed);
  check_running(run, allowed, distance_of);
  for_each_metric(golden, 1, run.metrics, [&](const std::string& name, double value, double expected) {
    INFO(name << ": " << value << ", PyTorch " << expected);
    CHECK(std::abs(value - expected) <= 1e-4 * std::max(std::abs(expected), 1e-3));
  });
}

TEST_CASE("a step with concatenations in place or kept outputs leaves the bytes of a plain one") {
  const Golden golden("step_shifted");
  const std::vector<float> plain = memory_of(in_bf16(golden, Rewrites{}));
  CHECK(memory_of(in_bf16(golden, Rewrites{.concat_in_place = true})) == plain);
  CHECK(memory_of(in_bf16(golden, Rewrites{.kept_outputs = true})) == plain);
}

TEST_CASE("steps give the same bytes with every schedule, and replayed as when each launch is made anew") {
  const Golden golden("step_shifted");
  GoldenStep replayed = in_bf16(golden), anew = in_bf16(golden);
  const std::vector<float> first = memory_of(replayed);
  REQUIRE(memory_of(anew) == first);
  Stream stream(device_under_test);
  for (const int step : {2, 3}) {
    INFO("step " << step);
    for_each_metric(golden, step, replayed.next(golden), [&](const std::string& name, double value, double expected) {
      INFO(name << ": " << value << ", PyTorch " << expected);
      CHECK(std::abs(value - expected) <= allowed_later * std::abs(expected));
    });
    Program& program = anew.trainer.program();
    if (step == 2)
      for (std::size_t s = 0; s < program.plan().steps.size(); ++s) program.enqueue_step(stream, s);
    else
      CHECK(program.profile(stream).size() == program.plan().steps.size());
    CHECK(memory_of(anew) == memory_of(replayed));
  }
  CHECK(memory_of(replayed) != first);
  for (const unsigned schedule : {1, 2}) {
    INFO("schedule " << schedule);
    set_schedule(schedule);
    CHECK(memory_of(in_bf16(golden)) == first);
  }
  set_schedule(0);
}
