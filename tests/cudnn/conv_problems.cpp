#include "tests/cudnn/conv_problems.h"

#include <set>

#include "graph/ops/conv.h"
#include "nets/step_graph.h"

namespace ipa::test {
namespace {

using cuda::ConvFusion;
using cuda::ConvProblem;
using cuda::padded_channels;

class Distinct {
 public:
  void add(const ConvProblem& p) {
    if (seen_.insert(to_string(p)).second) problems_.push_back(p);
  }
  void add(const Graph& graph) {
    for (const Graph::Node& node : graph.nodes())
      if (const auto d = describe_conv(graph, node))
        add({d->pass,
             d->geometry,
             DType::bf16,
             {.bias = d->bias, .activation = d->activation, .statistics = d->statistics, .add = d->add}});
  }
  std::vector<ConvProblem> all() && { return std::move(problems_); }

 private:
  std::set<std::string> seen_;
  std::vector<ConvProblem> problems_;
};

ConvGeometry same(std::int64_t batch, std::int64_t size, std::int64_t in, std::int64_t out, std::int64_t kernel) {
  return {
      {batch, size, size, in}, {out, kernel, kernel, in}, {batch, size, size, out}, 1, static_cast<int>(kernel / 2)};
}

}  // namespace

std::vector<ConvProblem> network_problems(std::int64_t batch) {
  Distinct distinct;
  StepOptions options;
  options.batch = batch;
  Gan gan;
  distinct.add(StepGraph(gan, options).graph);

  Graph inference;
  Parameters parameters("generator");
  Layers layers(inference, parameters, Mode::inference, generator_batch_norm(options.net), Init::glorot_uniform);
  generator(layers, inference.input("y", {{batch, options.size, options.size, 1}}), options.net);
  distinct.add(inference);
  return std::move(distinct).all();
}

std::vector<ConvProblem> rewritten_problems(std::int64_t batch) {
  StepOptions options;
  options.batch = batch;
  options.compute = DType::bf16;
  const Device device{Device::Kind::cuda};
  Gan gan(device);
  StepGraph step(gan, options);
  step.rewrite(device, Rewrites::all());
  Distinct distinct;
  distinct.add(step.graph);
  std::vector<ConvProblem> all = std::move(distinct).all();
  std::erase_if(all, [](const ConvProblem& p) { return !p.fusion.statistics && !p.fusion.add; });
  return all;
}

// The widths a, b, c of a block lie side by side, each padded, in one tensor: pixels of `pitch` channels.
std::vector<ConvProblem> fused_problems(std::int64_t batch) {
  Distinct distinct;
  const std::int64_t width = NetOptions{}.width;
  for (int level = 0; level < 5; ++level) {
    const MultiResWidths w = multires_widths(width << level);
    const std::int64_t size = 256 >> level, in = level == 0 ? 1 : multires_widths(width << (level - 1)).total();
    const std::int64_t pitch = padded_channels(w.a) + padded_channels(w.b) + padded_channels(w.c);
    auto add = [&](ConvPass pass, const ConvGeometry& g, const ConvFusion& f) {
      distinct.add({pass, g, DType::bf16, f});
    };
    const auto a = same(batch, size, in, w.a, 3), b = same(batch, size, w.a, w.b, 3),
               c = same(batch, size, w.b, w.c, 3);
    for (const auto& g : {a, b, c}) add(ConvPass::forward, g, {.statistics = true});
    add(ConvPass::forward, a, {.statistics = true, .any_order = true, .y_pitch = pitch});
    for (const auto& g : {b, c}) {
      add(ConvPass::forward, g,
          {.normalise = true, .statistics = true, .any_order = true, .x_pitch = pitch, .y_pitch = pitch});
      add(ConvPass::dgrad, g,
          {.by_forward = true, .add = true, .relu_backward = true, .x_pitch = pitch, .y_pitch = pitch});
      add(ConvPass::dgrad, g, {.add = true, .relu_backward = true});
    }
    add(ConvPass::forward, same(batch, size, in, w.total(), 1), {.statistics = true});
  }
  return std::move(distinct).all();
}

}  // namespace ipa::test
