// Losses and the style loss's features against PyTorch in double: values and gradients.
#include <catch2/catch.hpp>
#include <functional>

#include "nets/vgg19.h"
#include "tests/support/golden_case.h"

using namespace ipa;
using namespace ipa::test;

namespace {

using Build = std::function<Value(GoldenCase&)>;

// The sum of a loss over four maps of odd widths, down to one pixel.
Build over_maps(Value (*loss)(Value, Value)) {
  return [=](GoldenCase& c) {
    Value total;
    for (const char* k : {"1", "2", "3", "4"}) {
      const Value term = loss(c.input(std::string("fake") + k), c.input(std::string("real") + k));
      total = total ? add(total, term) : term;
    }
    return total;
  };
}

}  // namespace

TEST_CASE("every loss agrees with PyTorch", "[golden]") {
  const std::vector<std::pair<std::string, Build>> cases = {
      {"bce_real", [](GoldenCase& c) { return bce_with_logits(c.input("logits"), 1); }},
      {"bce_fake", [](GoldenCase& c) { return bce_with_logits(c.input("logits"), 0); }},
      {"l1", [](GoldenCase& c) { return l1_loss(c.input("a"), c.input("b")); }},
      {"hole_l1", [](GoldenCase& c) { return masked_l1_loss(c.input("fake"), c.input("real"), c.input("mask")); }},
      {"perceptual", over_maps(l1_loss)},
      {"style", over_maps(style_loss)},
      {"gram", [](GoldenCase& c) { return gram(c.input("features")); }},
  };
  GoldenResults results("losses");
  for (const auto& [name, build] : cases) {
    GoldenCase c(results, name);
    c.check(build(c));
  }
  results.check_all_compared();
}

TEST_CASE("VGG-19's features and the style loss through them agree with PyTorch", "[golden]") {
  constexpr int count = 3;
  GoldenResults results("vgg");
  const Golden& golden = results.golden;
  Parameters parameters("vgg19");
  Graph graph;
  Layers layers(graph, parameters, Mode::training, {}, Init::zero);
  const Value fake = graph.input("fake", {golden.nhwc_shape("fake")});
  const Value real = graph.input("real", {golden.nhwc_shape("real")});
  const std::vector<Value> fake_maps = vgg19_features(layers, fake, count);
  const std::vector<Value> real_maps = vgg19_features(layers, real, count);

  std::vector<std::pair<std::string, Value>> compared;
  Value style;
  for (int i = 0; i < count; ++i) {
    const auto k = static_cast<std::size_t>(i);
    const Value term = style_loss(fake_maps[k], real_maps[k]);
    style = style ? add(style, term) : term;
    compared.emplace_back("features/" + vgg19_name(i), fake_maps[k]);
    compared.emplace_back("style/" + vgg19_name(i), term);
  }
  compared.emplace_back("style", style);
  compared.emplace_back("grad/fake", grad(style, std::vector{fake}).front());

  parameters.allocate(false);
  WeightMap weights = golden.under("weights/vgg.");
  for (NamedArray& a : weights) a.name = "vgg19." + a.name;
  parameters.load(weights, "vgg.safetensors");
  Program::Bindings bindings;
  layers.bind(bindings);
  std::vector<Value> outputs;
  for (const auto& [name, value] : compared) outputs.push_back(value);
  Program program(graph, plan(graph, outputs), bindings);
  golden.fill("fake", program.tensor(fake));
  golden.fill("real", program.tensor(real));
  Stream stream;
  program.run(stream);
  for (const auto& [name, value] : compared) results.check(name, program.tensor(value));
  results.check_all_compared();
}
