// A whole training step of the GAN against PyTorch in double: each loss alone and all together, every gradient, running
// statistics, losses of three steps.
#include <catch2/catch.hpp>
#include <cmath>

#include "tests/support/golden_step.h"

using namespace ipa;
using namespace ipa::test;

namespace {

// Gradients pass some forty layers, the sums run in another order than PyTorch's, and Winograd rounds more coarsely. In
// step_shifted those of many shifts are the small difference of large sums.
constexpr double allowed = 17, allowed_shifted = 20;
// bf16 rounds 65536 times as coarsely, and kinks that it crosses add to that.
constexpr double of_bf16 = 2e-3;

struct Worst {
  double most_allowed = allowed, distance = 0;
  std::string name;
  ~Worst() { WARN("worst: " << name << " at " << distance << " float32 errors of PyTorch"); }
};

void check(const Golden& golden, const std::string& name, const std::vector<float>& values, Worst& worst) {
  const double distance = golden.distance_in_float32_errors(name, values);
  if (!(distance <= worst.distance)) worst.distance = distance, worst.name = name;
  INFO(name << ": " << distance << " float32 errors of PyTorch");
  CHECK(distance <= worst.most_allowed);
}

void check_gradients(const Golden& golden, const std::string& term, const Parameters& parameters, Worst& worst) {
  const WeightMap gradients = gradients_of(parameters);
  for (const NamedArray& g : gradients) {
    check(golden, "grad/" + term + "/" + g.name, g.values, worst);
    CHECK(golden.distance_in_bf16_errors("grad/" + term + "/" + g.name, g.values) <= of_bf16);
  }
  CHECK(golden.network_distance_in_bf16_errors(term, parameters.network(), gradients) <= of_bf16);
}

void check_running(const Golden& golden, const GoldenStep& run, Worst& worst) {
  for (const Parameters* p : run.networks())
    for (const Parameters::Entry& e : p->entries())
      if (!e.trainable()) check(golden, "running/" + e.name, Parameters::in_file_layout(e, p->value(e)).values, worst);
}

void check_metrics(const Golden& golden, int step, const StepMetrics& m, double tolerance) {
  for_each_metric(golden, step, m, [&](const std::string& name, double value, double expected) {
    INFO(name << ": " << value << ", PyTorch " << expected);
    CHECK(std::abs(value - expected) <= tolerance * std::max(std::abs(expected), 1e-3));
  });
}

}  // namespace

TEST_CASE("a step with all losses agrees with PyTorch", "[golden]") {
  const std::string file = GENERATE("step", "step_residual", "step_shifted");
  const Golden golden(file);
  GoldenStep run(golden, golden_step_options(golden, file == "step_residual"));
  Worst worst{file == "step_shifted" ? allowed_shifted : allowed};
  check_gradients(golden, "discriminator", run.gan.disc_global, worst);
  check_gradients(golden, "discriminator", run.gan.disc_patch, worst);
  check_gradients(golden, "total", run.gan.generator, worst);
  check_running(golden, run, worst);
  for (const Parameters* p : run.networks())
    for (const Parameters::Entry& e : p->entries())
      if (golden.has("after/" + e.name))
        check(golden, "after/" + e.name, Parameters::in_file_layout(e, p->value(e)).values, worst);
  check_metrics(golden, 1, run.metrics, 1e-4);
  // Adam's first steps are nearly the sign of the gradient: roundings grow from step to step.
  for (const int step : {2, 3}) check_metrics(golden, step, run.next(golden), 2e-2);
}

TEST_CASE("a step whose graph is rewritten in every way agrees with PyTorch as closely", "[golden]") {
  const Golden golden("step");
  StepOptions options = golden_step_options(golden, false);
  options.rewrites = Rewrites::all();
  const GoldenStep run(golden, options);
  Worst worst;
  check_gradients(golden, "discriminator", run.gan.disc_global, worst);
  check_gradients(golden, "discriminator", run.gan.disc_patch, worst);
  check_gradients(golden, "total", run.gan.generator, worst);
  check_running(golden, run, worst);
  check_metrics(golden, 1, run.metrics, 1e-4);
}

TEST_CASE("each loss alone gives PyTorch's gradient", "[golden]") {
  const Golden golden("step");
  const std::string term = GENERATE("adversarial", "perceptual", "style");
  GoldenStep run(golden, with_term_alone(golden_step_options(golden, false), term));
  Worst worst;
  check_gradients(golden, term, run.gan.generator, worst);
}

TEST_CASE("the hole term alone gives PyTorch's gradient", "[golden]") {
  const Golden golden("step_residual");
  StepOptions options = golden_step_options(golden, true);
  options.loss = {.adversarial = 0, .style = 0, .perceptual = 0, .hole = 1};
  GoldenStep run(golden, options);
  Worst worst;
  check_gradients(golden, "hole", run.gan.generator, worst);
}

TEST_CASE("gradients as far off as PyTorch's in bf16 are at distance 1", "[golden]") {
  const Golden golden("step_residual");
  WeightMap gradients = golden.under("grad/total/");
  const double error = golden.number("bf16_error/all/total/generator");
  for (NamedArray& g : gradients) {
    std::vector<float> off = g.values;
    for (float& v : off) v *= float(1 + golden.number("bf16_error/grad/total/" + g.name));
    CHECK(golden.distance_in_bf16_errors("grad/total/" + g.name, off) == Approx(1).epsilon(1e-3));
    for (float& v : g.values) v *= float(1 + error);
  }
  CHECK(golden.network_distance_in_bf16_errors("total", "generator", gradients) == Approx(1).epsilon(1e-3));
}
