#include "bench/op_networks.h"

#include <cmath>
#include <random>
#include <set>

#include "bench/fill.h"
#include "bench/step_table.h"
#include "engine/transfer.h"
#include "nets/inpainter.h"

namespace ipa::bench {
namespace {

double activated(double x, Activation a) {
  switch (a.kind) {
    case Activation::Kind::none:
      return x;
    case Activation::Kind::relu:
      return x < 0 ? 0 : x;
    case Activation::Kind::leaky_relu:
      return x < 0 ? a.slope * x : x;
    case Activation::Kind::tanh:
      return std::tanh(x);
    case Activation::Kind::sigmoid:
      return 1 / (1 + std::exp(-x));
  }
  return x;
}

struct Numbers {
  Shape shape;
  std::vector<float> v;
  explicit Numbers(const Tensor& t) : shape(t.shape), v(to_host(t)) {}
  double at(std::int64_t n, std::int64_t y, std::int64_t x, std::int64_t c) const {
    if (y < 0 || y >= shape.h || x < 0 || x >= shape.w) return 0;
    return v[static_cast<std::size_t>(((n * shape.h + y) * shape.w + x) * shape.c + c)];
  }
};

// Element (n, y, x, c) of what a convolution's pass makes of `a` and `b` (x and w; dy and w; x and dy), by definition.
double exact(const ConvDescription& d, const Numbers& a, const Numbers& b, std::int64_t n, std::int64_t y,
             std::int64_t x, std::int64_t c) {
  const ConvGeometry& g = d.geometry;
  double sum = 0;
  if (d.pass == ConvPass::wgrad) {  // (o, r, s, c)
    for (std::int64_t k = 0; k < g.y.n; ++k)
      for (std::int64_t i = 0; i < g.y.h; ++i)
        for (std::int64_t j = 0; j < g.y.w; ++j)
          sum += b.at(k, i, j, n) *
                 a.at(k, i * g.stride - g.pad + y * g.dilation, j * g.stride - g.pad + x * g.dilation, c);
    return sum;
  }
  for (std::int64_t r = 0; r < g.w.h; ++r)
    for (std::int64_t s = 0; s < g.w.w; ++s) {
      if (d.pass == ConvPass::forward) {
        for (std::int64_t k = 0; k < g.x.c; ++k)
          sum += b.at(c, r, s, k) *
                 a.at(n, y * g.stride - g.pad + r * g.dilation, x * g.stride - g.pad + s * g.dilation, k);
        continue;
      }
      const std::int64_t i = y + g.pad - r * g.dilation, j = x + g.pad - s * g.dilation;
      if (i < 0 || j < 0 || i % g.stride || j % g.stride) continue;
      for (std::int64_t k = 0; k < g.y.c; ++k) sum += a.at(n, i / g.stride, j / g.stride, k) * b.at(k, r, s, c);
    }
  return sum;
}

double error_of(const ConvDescription& d, const Tensor& out, const std::vector<Tensor>& in) {
  const Numbers made(out), a(in[0]), b(in[1]);
  std::optional<Numbers> bias, added;
  if (d.bias) bias.emplace(in[2]);
  if (d.add) added.emplace(in[2]);
  const int samples = d.pass == ConvPass::wgrad ? 32 : 1024;
  std::mt19937 random(1);
  auto below = [&](std::int64_t n) { return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n)); };
  double distance = 0, norm = 0;
  for (int k = 0; k < samples; ++k) {
    const Shape& s = out.shape;
    const std::int64_t n = below(s.n), y = below(s.h), x = below(s.w), c = below(s.c);
    double expected = exact(d, a, b, n, y, x, c);
    if (bias) expected += bias->at(0, 0, 0, c);
    if (added) expected += added->at(n, y, x, c);
    if (d.pass == ConvPass::forward) expected = activated(expected, d.activation);
    const double off = made.at(n, y, x, c) - expected;
    distance += off * off;
    norm += expected * expected;
  }
  return std::sqrt(distance / norm);
}

void collect(const Graph& graph, std::int64_t batch, std::set<std::string>& seen, std::vector<NetworkOp>& all) {
  for (const Graph::Node& node : graph.nodes()) {
    NetworkOp found{.name = "batch " + std::to_string(batch) + ": " + node.op->name() + shapes_of(graph, node),
                    .op = node.op,
                    .conv = describe_conv(graph, node)};
    if (found.conv && found.conv->bias) found.name += ", bias";
    if (found.conv && found.conv->activation.kind != Activation::Kind::none) found.name += ", activation";
    for (const Value& v : node.inputs) found.inputs.push_back(v ? std::optional(v.spec()) : std::nullopt);
    if (seen.insert(found.name).second) all.push_back(std::move(found));
  }
}

}  // namespace

std::vector<NetworkOp> network_ops(const StepOptions& options, Device device) {
  std::vector<NetworkOp> all;
  std::set<std::string> seen;
  Gan gan(device);
  StepGraph step(gan, options);
  Rewrites alone = Rewrites::that_pay(device);
  alone.concat_in_place = false;  // an op by itself has no whole among whose channels its operands lie
  step.rewrite(device, alone);
  collect(step.graph, options.batch, seen, all);
  Graph inference;
  Layers layers(inference, gan.generator, Mode::inference, generator_batch_norm(options.net), Init::glorot_uniform);
  describe_inpainter(inference, layers, device, options.net, options.batch, options.size, options.size, options.compute,
                     alone);
  collect(inference, options.batch, seen, all);
  return all;
}

CaseReport measure(const NetworkOp& op, OpTimer& timer, const Roof& roof, bool errors) {
  const Device device = timer.stream().device();
  Graph graph;
  std::vector<Buffer> states;
  Program::Bindings bindings;
  std::vector<Value> inputs;
  for (std::size_t i = 0; i < op.inputs.size(); ++i) {
    if (!op.inputs[i]) {
      inputs.emplace_back();
    } else if (op.op->mutates(static_cast<int>(i))) {
      inputs.push_back(graph.state("state", *op.inputs[i]));
      states.emplace_back("state", bytes_on(device, *op.inputs[i]), device);
      bindings[inputs.back().id] = states.back().tensor(*op.inputs[i]);
    } else {
      inputs.push_back(graph.input("input", *op.inputs[i]));
    }
  }
  const std::vector<Value> outputs = graph.apply(op.op, inputs);
  Program program(graph, plan(graph, outputs, {.device = device}), bindings);
  std::vector<Tensor> filled;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i]) continue;
    filled.push_back(program.tensor(inputs[i]));
    const bool state = op.op->mutates(static_cast<int>(i));  // variances and moments are not negative
    fill_with_numbers(filled.back(), state ? 0.5f : -1.0f, 1, static_cast<unsigned>(i) + 1);
  }
  CaseReport report{.name = op.name};
  std::vector<std::size_t> steps;
  for (std::size_t s = 0; s < program.plan().steps.size(); ++s) steps.push_back(s);
  report.ops = timer.measure(graph, program, steps, roof);
  if (errors && op.conv) report.error = OpError{error_of(*op.conv, program.tensor(outputs[0]), filled)};
  return report;
}

}  // namespace ipa::bench
