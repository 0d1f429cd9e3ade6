// Where the time of a training step, or of the generator in inference, goes: milliseconds, bytes and FLOPs by kind of
// op, beside what this machine can do at most. `--serve` lets another program start each run (bench/peers).
#include <fmt/core.h>
#include <omp.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "bench/node_cost.h"
#include "bench/roof.h"
#include "engine/rng.h"
#include "engine/transfer.h"
#include "nets/inpainter.h"
#include "nets/trainer.h"

using namespace ipa;

namespace {

struct Options {
  StepOptions step;
  bool inference = false, shapes = false, serve = false, json = false;
  int runs = 3;
};

void fill_with_noise(const Tensor& t, std::uint32_t sample) {
  RandomSequence random(0, RandomUse::weights, 0, sample);
  std::vector<float> values(static_cast<std::size_t>(t.elements()));
  for (float& v : values) v = random.uniform(-1, 1);
  from_host(values, t);
}

// The networks with random weights and images; warm when it is made.
class Work {
 public:
  explicit Work(const Options& options) {
    if (options.inference)
      describe_inference(options);
    else
      describe_step(options);
  }

  const Graph& graph() const { return *graph_; }
  const Plan& plan() const { return program_->plan(); }
  std::vector<double> profile() { return program_->profile(stream_); }

  double run() {  // -> seconds
    const auto start = std::chrono::steady_clock::now();
    program_->run(stream_);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

 private:
  void describe_step(const Options& options) {
    trainer_.emplace(gan_, options.step);
    for (Parameters* p : {&gan_.generator, &gan_.disc_global, &gan_.disc_patch, &gan_.vgg19})
      if (p->allocated()) p->initialise(0);
    fill_with_noise(trainer_->corrupted(), 0);
    fill_with_noise(trainer_->target(), 1);
    trainer_->step(0);  // sets rates and weights, warms up
    graph_ = &trainer_->graph().graph;
    program_ = &trainer_->program();
  }

  void describe_inference(const Options& options) {
    const StepOptions& o = options.step;
    layers_.emplace(own_graph_, gan_.generator, Mode::inference, generator_batch_norm(o.net), Init::glorot_uniform);
    const InpainterEnds ends =
        describe_inpainter(own_graph_, *layers_, Device{}, o.net, o.batch, o.size, o.size, DType::f32);
    gan_.generator.allocate(false);
    gan_.generator.initialise(0);
    Program::Bindings bindings;
    layers_->bind(bindings);
    own_program_.emplace(own_graph_, ipa::plan(own_graph_, std::vector{ends.output}), bindings);
    layers_->fold();
    fill_with_noise(own_program_->tensor(ends.input), 0);
    graph_ = &own_graph_;
    program_ = &*own_program_;
    program_->run(stream_);
  }

  Gan gan_;
  std::optional<Trainer> trainer_;
  Graph own_graph_;
  std::optional<Layers> layers_;
  std::optional<Program> own_program_;
  const Graph* graph_ = nullptr;
  Program* program_ = nullptr;
  Stream stream_;
};

struct Row {
  int launches = 0;
  double seconds = 0, least_seconds = 0;
  Cost cost;
};

struct Report {
  bench::Roof roof{};
  double seconds = 0, profiled_seconds = 0, arena_mib = 0;
  Row all;
  std::vector<std::pair<std::string, Row>> rows;  // the longest first
};

std::string shapes_of(const Graph& graph, const Graph::Node& node) {
  std::string shapes;
  for (const Value& v : node.inputs)
    if (v) shapes += " " + to_string(graph.info(v).spec.shape);
  shapes += " to";
  for (const Value& v : node.outputs) shapes += " " + to_string(graph.info(v).spec.shape);
  return shapes;
}

Report measure(const Options& options) {
  Report report{.roof = bench::measure_roof()};
  Work work(options);
  const Plan& plan = work.plan();
  std::vector<std::vector<double>> times(plan.steps.size());
  std::vector<double> whole;
  for (int r = 0; r < options.runs; ++r) {
    whole.push_back(work.run());
    const std::vector<double> once = work.profile();
    for (std::size_t s = 0; s < once.size(); ++s) times[s].push_back(once[s] * 1e-3);
  }
  std::map<std::string, Row> rows;
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    const Graph::Node& node = work.graph().nodes()[static_cast<std::size_t>(plan.steps[s].node)];
    const Cost cost = bench::cost_of(work.graph(), node);
    const double seconds = bench::median(times[s]);
    for (Row* row : {&report.all, &rows[node.op->name() + (options.shapes ? shapes_of(work.graph(), node) : "")]}) {
      ++row->launches;
      row->seconds += seconds;
      row->least_seconds += report.roof.least_seconds(cost);
      row->cost.bytes += cost.bytes;
      row->cost.flops += cost.flops;
    }
  }
  report.rows.assign(rows.begin(), rows.end());
  std::ranges::sort(report.rows, [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  report.seconds = bench::median(whole);
  report.arena_mib = static_cast<double>(plan.arena_bytes) / (1 << 20);
  return report;
}

void print(const Report& report, const Options& options) {
  fmt::print("{} threads; roof: copy {:.1f} GB/s, multiply-add {:.1f} GFLOP/s; medians of {} runs\n",
             omp_get_max_threads(), report.roof.copy_gb_s, report.roof.gflop_s, options.runs);
  fmt::print("{:<34}{:>8}{:>10}{:>7}{:>9}{:>10}{:>8}\n", "op", "launches", "ms", "%", "GB/s", "GFLOP/s", "% roof");
  auto line = [&](const std::string& name, const Row& row) {
    fmt::print("{:<34}{:>8}{:>10.2f}{:>7.1f}{:>9.1f}{:>10.1f}{:>8.1f}\n", name, row.launches, row.seconds * 1e3,
               100 * row.seconds / report.all.seconds, row.cost.bytes * 1e-9 / row.seconds,
               row.cost.flops * 1e-9 / row.seconds, 100 * row.least_seconds / row.seconds);
  };
  for (const auto& [name, row] : report.rows) line(name, row);
  line("all", report.all);
  fmt::print("{} {:.1f} ms, {:.2f} images/s; arena {:.0f} MiB\n", options.inference ? "inference" : "step",
             report.seconds * 1e3, static_cast<double>(options.step.batch) / report.seconds, report.arena_mib);
}

nlohmann::json to_json(const std::string& name, const Row& row) {
  return {{"op", name},
          {"launches", row.launches},
          {"seconds", row.seconds},
          {"least_seconds", row.least_seconds},
          {"bytes", row.cost.bytes},
          {"flops", row.cost.flops}};
}

void print_json(const Report& report, const Options& options) {
  nlohmann::json json{{"task", options.inference ? "inference" : "step"},
                      {"threads", omp_get_max_threads()},
                      {"batch", options.step.batch},
                      {"size", options.step.size},
                      {"runs", options.runs},
                      {"roof", {{"copy_gb_s", report.roof.copy_gb_s}, {"gflop_s", report.roof.gflop_s}}},
                      {"seconds", report.seconds},
                      {"arena_mib", report.arena_mib},
                      {"all", to_json("all", report.all)},
                      {"ops", nlohmann::json::array()}};
  for (const auto& [name, row] : report.rows) json["ops"].push_back(to_json(name, row));
  fmt::print("{}\n", json.dump(1));
}

// Says `ready`; then one run for each line on standard input, and its seconds on standard output.
void serve(const Options& options) {
  Work work(options);
  fmt::print("ready\n");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    fmt::print("{}\n", work.run());
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.step.batch = 4;
  CLI::App app("Times a training step, or the generator in inference, by kind of op");
  app.add_flag("--inference", options.inference, "the generator alone, batch norm folded");
  app.add_option("--width", options.step.net.width, "of the generator")->capture_default_str();
  app.add_option("--disc-width", options.step.net.disc_width, "of the discriminators")->capture_default_str();
  app.add_option("--size", options.step.size, "side of the slices")->capture_default_str();
  app.add_option("--batch", options.step.batch)->capture_default_str();
  app.add_option("--style", options.step.loss.style_layers, "VGG-19 layers; 0: no style loss")->capture_default_str();
  app.add_flag("--residual", options.step.net.residual, "net.residual");
  app.add_option("--runs", options.runs, "medians of so many")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_flag("--shapes", options.shapes, "a row for each kind of op and its shapes");
  app.add_flag("--json", options.json, "one JSON object");
  app.add_flag("--serve", options.serve, "one run for each line on standard input; prints its seconds");
  CLI11_PARSE(app, argc, argv);
  if (options.step.loss.style_layers == 0) options.step.loss.style = 0;
  try {
    if (options.serve)
      serve(options);
    else if (options.json)
      print_json(measure(options), options);
    else
      print(measure(options), options);
    return 0;
  } catch (const Error& e) {
    fmt::print(stderr, "bench_step: error: {}\n", e.what());
    return e.exit_code();
  }
}
