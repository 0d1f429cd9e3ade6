// Every network against PyTorch in double: forward in training and inference, all gradients, running statistics.
#include <catch2/catch.hpp>

#include "engine/transfer.h"
#include "graph/program.h"
#include "nets/discriminators.h"
#include "nets/inpainter.h"
#include "nets/multires_unet.h"
#include "tests/support/dot.h"
#include "tests/support/golden_weights.h"

using namespace ipa;
using namespace ipa::test;

namespace {

constexpr std::int64_t width = 4;
// Our float32 sums in another order than PyTorch's; both lie some float32 errors from double.
constexpr double allowed = 8;

void check(const Golden& golden, const std::string& name, const std::vector<float>& values, double& worst) {
  const double distance = golden.distance_in_float32_errors(name, values);
  worst = std::max(worst, distance);
  INFO(name << ": " << distance << " float32 errors of PyTorch");
  CHECK(distance <= allowed);
}

// `describe` appends the network to the layers' graph and returns its output.
template <class Describe>
void check_network(const std::string& file, Parameters& parameters, BatchNormStyle style,
                   const std::vector<std::string>& inputs, Describe describe) {
  const Golden golden(file);
  Graph graph;
  Layers layers(graph, parameters, Mode::training, style, Init::zero);
  std::vector<Value> in;
  for (const std::string& name : inputs) {
    const std::vector<std::int64_t>& s = golden[name].shape;
    in.push_back(graph.input(name, {{s[0], s[2], s[3], 1}}));
  }
  const Value output = describe(layers, in);
  const Value cotangent = graph.input("cotangent", output.spec());
  std::vector<Value> wrt = layers.trainable();
  wrt.insert(wrt.end(), in.begin(), in.end());
  const std::vector<Value> gradients = grad(dot(output, cotangent), wrt);
  parameters.allocate(false);
  load_weights(parameters, golden);
  Program::Bindings bindings;
  layers.bind(bindings);
  std::vector<Value> outputs = gradients;
  outputs.push_back(output);
  Program program(graph, plan(graph, outputs), bindings);
  for (const Value& v : in) golden.fill(graph.info(v).name, program.tensor(v));
  golden.fill("cotangent", program.tensor(cotangent));
  Stream stream;
  program.run(stream);

  double worst = 0;
  check(golden, "output", to_host(program.tensor(output)), worst);
  std::size_t next = 0;
  for (const Parameters::Entry& e : parameters.entries()) {
    if (e.trainable())
      check(golden, "grad/" + e.name, Parameters::in_file_layout(e, program.tensor(gradients[next++])).values, worst);
    else
      check(golden, "running/" + e.name, to_host(parameters.value(e)), worst);
  }
  for (const std::string& name : inputs)
    check(golden, "grad/" + name, to_host(program.tensor(gradients[next++])), worst);
  WARN(file << ": worst " << worst << " float32 errors of PyTorch");
}

}  // namespace

TEST_CASE("MultiRes-UNet agrees with PyTorch", "[golden]") {
  Parameters parameters("generator");
  check_network("net_multires_unet", parameters, generator_batch_norm({}), {"y"}, [](Layers& layers, auto& in) {
    const Layers::Scope scope(layers, "0");
    return multires_unet(layers, in[0], width, Head::image);
  });
}

TEST_CASE("the cascade agrees with PyTorch, plain and residual, in training and folded", "[golden]") {
  const bool residual = GENERATE(false, true);
  const std::string file = residual ? "net_generator_residual" : "net_generator";
  const NetOptions options{.width = width, .residual = residual, .bn_momentum = residual ? 0.9 : 0.99};
  Parameters parameters("generator");
  check_network(file, parameters, generator_batch_norm(options), {"y"},
                [&](Layers& layers, auto& in) { return generator(layers, in[0], options); });

  const Golden golden(file);
  const std::vector<std::int64_t>& s = golden["y"].shape;
  Parameters fresh("generator");
  Inpainter inpainter(fresh, options, s[0], s[2], s[3]);
  load_weights(fresh, golden);
  inpainter.fold();
  golden.fill("y", inpainter.input());
  inpainter.run();
  double worst = 0;
  check(golden, "output_inference", to_host(inpainter.output()), worst);
}

TEST_CASE("the discriminators agree with PyTorch", "[golden]") {
  const auto kind = GENERATE(DiscriminatorKind::patch, DiscriminatorKind::global);
  Parameters parameters(network_name(kind));
  check_network(std::string("net_") + network_name(kind), parameters, discriminator_batch_norm, {"y", "image"},
                [&](Layers& layers, auto& in) {
                  return discriminate(layers, concat({in[0], in[1]}), kind, width).score;
                });
}
