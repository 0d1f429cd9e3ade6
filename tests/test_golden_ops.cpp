// Single operations against PyTorch in double: values, gradients, running statistics, Adam's states.
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

#include "graph/ops.h"
#include "tests/support/golden_case.h"

using namespace ipa;
using namespace ipa::test;

namespace {

using Build = std::function<Value(GoldenCase&)>;

Build pointwise(Activation a) {
  return [=](GoldenCase& c) { return activation(c.input("x"), a); };
}

Build convolution(ConvAttributes attributes) {
  return [=](GoldenCase& c) { return conv(c.input("x"), c.input("weight"), c.input("bias"), attributes); };
}

Build batch_norm_training(float eps, float momentum) {
  return [=](GoldenCase& c) {
    const BatchNorm bn{.gamma = c.has("weight") ? c.input("weight") : Value{},
                       .beta = c.input("bias"),
                       .running_mean = c.state("running_mean", "running/mean"),
                       .running_var = c.state("running_var", "running/var"),
                       .eps = eps,
                       .momentum = momentum};
    return batch_norm(c.input("x"), bn);
  };
}

// Folded as nets do it: weight (x - mean) / sqrt(var + eps) + bias = scale x + shift.
Value batch_norm_inference(GoldenCase& c) {
  constexpr double eps = 1e-3;
  std::vector<float> scale, shift;
  for (std::size_t i = 0; i < c.array("weight").values.size(); ++i) {
    const double s = c.array("weight").values[i] / std::sqrt(c.array("running_var").values[i] + eps);
    scale.push_back(static_cast<float>(s));
    shift.push_back(static_cast<float>(c.array("bias").values[i] - s * c.array("running_mean").values[i]));
  }
  return affine(c.input("x"), c.input("scale", scale), c.input("shift", shift));
}

// tests/golden/golden_ops.py, adam().
void check_adam(GoldenResults& results) {
  constexpr double rate = 2e-4, beta1 = 0.5, beta2 = 0.999;
  const Golden& golden = results.golden;
  const TensorSpec spec{golden.nhwc_shape("adam/value_0")};
  Graph graph;
  Program::Bindings bindings;
  std::vector<Buffer> memory;
  auto state = [&](const std::string& name) {
    const Value v = graph.state(name, spec);
    bindings[v.id] = memory.emplace_back(name, spec.bytes()).tensor(spec);
    std::fill_n(bindings[v.id].f32(), spec.shape.elements(), 0.0f);
    return v;
  };
  const Value parameters = state("parameters"), m = state("m"), v = state("v");
  const Value gradient = graph.input("gradient", spec), rates = graph.input("rates", {vector_shape(2)});
  adam(parameters, m, v, gradient, rates, constant(graph, {scalar_shape}, 1), {.beta1 = beta1, .beta2 = beta2});
  Program program(graph, plan(graph, {}), bindings);
  const Tensor moved = bindings[parameters.id];
  golden.fill("adam/value_0", moved);
  for (int step = 1; step <= 5; ++step) {
    golden.fill("adam/grad_" + std::to_string(step), program.tensor(gradient));
    program.tensor(rates).f32()[0] = static_cast<float>(rate / (1 - std::pow(beta1, step)));
    program.tensor(rates).f32()[1] = static_cast<float>(1 / std::sqrt(1 - std::pow(beta2, step)));
    Stream stream;
    program.run(stream);
    const std::string name = "adam/value_" + std::to_string(step);
    results.check(name, moved);

    // A step moves the parameters little: compare the way itself, too, as far as float32 values tell it.
    const std::vector<float>&start = golden["adam/value_0"].values, &expected = golden[name].values;
    double difference = 0, way = 0;
    for (std::size_t i = 0; i < start.size(); ++i) {
      difference += std::pow(double{moved.f32()[i]} - expected[i], 2);
      way += std::pow(double{expected[i]} - start[i], 2);
    }
    INFO(name << ": moved " << std::sqrt(way) << ", off by " << std::sqrt(difference));
    CHECK(std::sqrt(difference) <= 1e-3 * std::sqrt(way));
  }
}

}  // namespace

TEST_CASE("every operation agrees with PyTorch", "[golden]") {
  const std::vector<std::pair<std::string, Build>> cases = {
      {"nearest_double", [](GoldenCase& c) { return upsample_nearest2(c.input("x")); }},
      {"bilinear_double", [](GoldenCase& c) { return upsample_bilinear2(c.input("x")); }},
      {"max_pool_ties", [](GoldenCase& c) { return max_pool2(c.input("x")); }},
      {"max_pool", [](GoldenCase& c) { return max_pool2(c.input("x")); }},
      {"conv_1x1", convolution({})},
      {"conv_3x3", convolution({.pad = 1})},
      {"conv_3x3_dilation_2", convolution({.pad = 2, .dilation = 2})},
      {"conv_3x3_dilation_4", convolution({.pad = 4, .dilation = 4})},
      {"conv_4x4", convolution({.pad = 1})},
      {"conv_4x4_stride_2", convolution({.stride = 2, .pad = 1})},
      {"conv_transposed",
       [](GoldenCase& c) { return conv_transpose(c.input("x"), c.input("weight"), c.input("bias"), {.stride = 2}); }},
      {"batch_norm_generator", batch_norm_training(1e-3f, 0.01f)},
      {"batch_norm_generator_no_scale", batch_norm_training(1e-3f, 0.01f)},
      {"batch_norm_discriminator", batch_norm_training(1e-5f, 0.1f)},
      {"batch_norm_inference", batch_norm_inference},
      {"relu", pointwise(relu_activation)},
      {"leaky_relu", pointwise(leaky_relu_activation(0.2f))},
      {"clip", [](GoldenCase& c) { return clip(c.input("x"), -1, 1); }},
      {"tanh", pointwise(tanh_activation)},
  };
  GoldenResults results("ops");
  for (const auto& [name, build] : cases) {
    GoldenCase c(results, name);
    c.check(build(c));
  }
  check_adam(results);
  results.check_all_compared();
}
