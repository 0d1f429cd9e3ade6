// A whole training step of the GAN against PyTorch in double: each loss alone and all together, every gradient, running
// statistics, losses of three steps.
#include <catch2/catch.hpp>
#include <cmath>

#include "nets/trainer.h"
#include "tests/support/golden.h"

using namespace ipa;
using namespace ipa::test;

namespace {

// Gradients pass some forty layers and the sums run in another order than PyTorch's.
constexpr double allowed = 10;
// bf16 rounds 65536 times as coarsely, and kinks that it crosses add to that.
constexpr double of_bf16 = 1e-3;

StepOptions options_of(const Golden& golden, bool residual) {
  StepOptions o;
  o.net = {.width = 4, .disc_width = 4, .residual = residual, .bn_momentum = residual ? 0.9 : 0.99};
  o.loss = {.adversarial = golden.number("weight/adversarial"), .style = golden.number("weight/style"),
            .perceptual = golden.number("weight/perceptual"), .style_layers = 2, .hole = golden.number("weight/hole")};
  o.batch = 2;
  o.size = 96;
  return o;
}

struct Run {
  Gan gan;
  Trainer trainer;
  StepMetrics metrics;

  Run(const Golden& golden, const StepOptions& options) : trainer(gan, options) {
    WeightMap weights;
    auto collect = [&](const WeightMap& from, const std::string& prefix, const std::string& stored) {
      for (NamedArray a : from) {
        if (golden.has(stored + a.name)) a.values = golden[stored + a.name].values;
        a.name = prefix + a.name;
        weights.push_back(std::move(a));
      }
    };
    const Golden common("weights");
    collect(common.arrays(), "", "weights/");
    for (Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch}) p->load(weights, "weights.safetensors");
    if (options.loss.style > 0) {
      weights.clear();
      collect(Golden("vgg").under("weights/vgg."), "vgg19.", "weights/vgg.");
      std::erase_if(weights, [&](const NamedArray& a) { return !gan.vgg19.has(a.name); });
      gan.vgg19.load(weights, "vgg.safetensors");
    }
    fill(golden);
    metrics = trainer.step(0);
  }
  void fill(const Golden& golden) {
    golden.fill("x", trainer.target());
    golden.fill("y", trainer.corrupted());
    golden.fill("mask", trainer.mask());
  }
};

struct Worst {
  double distance = 0;
  std::string name;
  ~Worst() { WARN("worst: " << name << " at " << distance << " float32 errors of PyTorch"); }
};

void check(const Golden& golden, const std::string& name, const std::vector<float>& values, Worst& worst) {
  const double distance = golden.distance_in_float32_errors(name, values);
  if (!(distance <= worst.distance)) worst.distance = distance, worst.name = name;
  INFO(name << ": " << distance << " float32 errors of PyTorch");
  CHECK(distance <= allowed);
}

void check_gradients(const Golden& golden, const std::string& term, const Parameters& parameters, Worst& worst) {
  WeightMap gradients;
  for (const Parameters::Entry& e : parameters.entries())
    if (e.trainable()) gradients.push_back(Parameters::in_file_layout(e, parameters.gradient(e)));
  for (const NamedArray& g : gradients) {
    check(golden, "grad/" + term + "/" + g.name, g.values, worst);
    CHECK(golden.distance_in_bf16_errors("grad/" + term + "/" + g.name, g.values) <= of_bf16);
  }
  const std::string network = gradients.at(0).name.substr(0, gradients.at(0).name.find('.'));
  CHECK(golden.network_distance_in_bf16_errors(term, network, gradients) <= of_bf16);
}

void check_metrics(const Golden& golden, int step, const StepMetrics& m, double tolerance) {
  auto same = [&](const char* name, double value) {
    const double expected = golden.number("metrics/step" + std::to_string(step) + "/" + name);
    INFO("step " << step << " " << name << ": " << value << ", PyTorch " << expected);
    CHECK(std::abs(value - expected) <= tolerance * std::max(std::abs(expected), 1e-3));
  };
  same("d_global", m.d_global);
  same("d_patch", m.d_patch);
  same("adversarial", m.adversarial);
  same("l1", m.l1);
  same("perceptual", m.perceptual);
  same("style", m.style);
  same("total", m.total);
  same("grad_norm_g", m.grad_norm_g);
}

}  // namespace

TEST_CASE("a step with all losses agrees with PyTorch", "[golden]") {
  const bool residual = GENERATE(false, true);
  const Golden golden(residual ? "step_residual" : "step");
  Run run(golden, options_of(golden, residual));
  Worst worst;
  check_gradients(golden, "discriminator", run.gan.disc_global, worst);
  check_gradients(golden, "discriminator", run.gan.disc_patch, worst);
  check_gradients(golden, "total", run.gan.generator, worst);
  for (const Parameters* p : {&run.gan.generator, &run.gan.disc_global, &run.gan.disc_patch})
    for (const Parameters::Entry& e : p->entries()) {
      const std::vector<float> values = Parameters::in_file_layout(e, p->value(e)).values;
      if (!e.trainable()) check(golden, "running/" + e.name, values, worst);
      if (golden.has("after/" + e.name)) check(golden, "after/" + e.name, values, worst);
    }
  check_metrics(golden, 1, run.metrics, 1e-4);
  // Adam's first steps are nearly the sign of the gradient: roundings grow from step to step.
  for (const int step : {2, 3}) {
    run.fill(golden);
    check_metrics(golden, step, run.trainer.step(0), 2e-2);
  }
}

TEST_CASE("each loss alone gives PyTorch's gradient", "[golden]") {
  const Golden golden("step");
  StepOptions options = options_of(golden, false);
  const std::string term = GENERATE("adversarial", "perceptual", "style");
  options.loss.adversarial = term == "adversarial";
  options.loss.perceptual = term == "perceptual";
  options.loss.style = term == "style";
  Run run(golden, options);
  Worst worst;
  check_gradients(golden, term, run.gan.generator, worst);
}

TEST_CASE("the hole term alone gives PyTorch's gradient", "[golden]") {
  const Golden golden("step_residual");
  StepOptions options = options_of(golden, true);
  options.loss = {.adversarial = 0, .style = 0, .perceptual = 0, .hole = 1};
  Run run(golden, options);
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
