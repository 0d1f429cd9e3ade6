// Where a training step's time goes: milliseconds, bytes and FLOPs by kind of op, or by kind and shapes.
//   bench_step [--width 32] [--disc-width 64] [--size 256] [--batch 4] [--style 6] [--residual] [--runs 3] [--shapes]
#include <fmt/core.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <chrono>
#include <map>

#include "nets/trainer.h"

using namespace ipa;

namespace {

struct Row {
  int launches = 0;
  double milliseconds = 0;
  Cost cost;
};

Cost cost_of(const Graph& graph, const Graph::Node& node) {
  std::vector<TensorSpec> in, out;
  for (const Value& v : node.inputs) in.push_back(v ? v.spec() : TensorSpec{{0, 0, 0, 0}, DType::f32});
  for (const Value& v : node.outputs) out.push_back(graph.info(v).spec);
  return node.op->cost(in, out);
}

std::string shapes_of(const Graph& graph, const Graph::Node& node) {
  std::string shapes;
  for (const Value& v : node.inputs)
    if (v) shapes += " " + to_string(v.spec().shape);
  shapes += " to";
  for (const Value& v : node.outputs) shapes += " " + to_string(graph.info(v).spec.shape);
  return shapes;
}

}  // namespace

int main(int argc, char** argv) {
  StepOptions options;
  options.batch = 4;
  options.loss.style_layers = 6;
  int runs = 3;
  bool by_shapes = false;
  CLI::App app("Times one training step by kind of op");
  app.add_option("--width", options.net.width);
  app.add_option("--disc-width", options.net.disc_width);
  app.add_option("--size", options.size);
  app.add_option("--batch", options.batch);
  app.add_option("--style", options.loss.style_layers, "VGG-19 layers; 0: no style loss");
  app.add_flag("--residual", options.net.residual);
  app.add_option("--runs", runs);
  app.add_flag("--shapes", by_shapes, "a row for each kind of op and its shapes");
  CLI11_PARSE(app, argc, argv);
  if (options.loss.style_layers == 0) options.loss.style = 0;

  Gan gan;
  Trainer trainer(gan, options);
  for (Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch}) p->initialise(0);
  Stream stream;
  trainer.step(0);  // warms up, sets rates and weights
  const Graph& graph = trainer.graph().graph;
  const Plan& plan = trainer.program().plan();
  std::vector<std::vector<double>> times;
  std::vector<double> whole;
  for (int r = 0; r < runs; ++r) {
    times.push_back(trainer.program().profile(stream));
    const auto start = std::chrono::steady_clock::now();
    trainer.program().run(stream);
    whole.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(whole.begin(), whole.end());
  std::map<std::string, Row> rows;
  double total = 0;
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    std::vector<double> of_step;
    for (const auto& t : times) of_step.push_back(t[s]);
    std::sort(of_step.begin(), of_step.end());
    const Graph::Node& node = graph.nodes()[static_cast<std::size_t>(plan.steps[s].node)];
    Row& row = rows[node.op->name() + (by_shapes ? shapes_of(graph, node) : "")];
    const Cost cost = cost_of(graph, node);
    ++row.launches;
    row.milliseconds += of_step[of_step.size() / 2];
    row.cost.bytes += cost.bytes;
    row.cost.flops += cost.flops;
    total += of_step[of_step.size() / 2];
  }
  std::vector<std::pair<std::string, Row>> sorted(rows.begin(), rows.end());
  std::ranges::sort(sorted, [](const auto& a, const auto& b) { return a.second.milliseconds > b.second.milliseconds; });
  fmt::print("{:<34}{:>8}{:>10}{:>7}{:>9}{:>10}\n", "op", "launches", "ms", "%", "GB/s", "GFLOP/s");
  for (const auto& [name, row] : sorted)
    fmt::print("{:<34}{:>8}{:>10.2f}{:>7.1f}{:>9.1f}{:>10.1f}\n", name, row.launches, row.milliseconds,
               100 * row.milliseconds / total, row.cost.bytes / row.milliseconds / 1e6,
               row.cost.flops / row.milliseconds / 1e6);
  const double step = whole[whole.size() / 2];
  fmt::print("step {:.1f} ms (median of {}), {:.2f} images/s; arena {:.0f} MiB\n", step, runs,
             1000.0 * static_cast<double>(options.batch) / step, static_cast<double>(plan.arena_bytes) / (1 << 20));
}
