// Where the time of a training step, or of the generator in inference, must go and where it goes: launches, bytes,
// FLOPs, the least time that a machine's roof allows (docs/performance.md) and, unless `--predict`, the time measured,
// by part of the step and by kind of op. `--serve` lets another program start each run (bench/peers).
#include <fmt/core.h>
#include <omp.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "bench/device_option.h"
#include "bench/fill.h"
#include "bench/roofline.h"
#include "bench/statistics.h"
#include "bench/step_table.h"
#include "engine/time_marks.h"
#include "io/atomic_file.h"
#include "nets/inpainter.h"
#include "nets/trainer.h"

using namespace ipa;

namespace {

struct Options {
  StepOptions step;
  Device device;
  bool inference = false, shapes = false, serve = false, json = false, predict = false;
  int runs = 3;
  std::string roof, roofline;
};

// The networks with random weights and images; warm when it is made.
class Work {
 public:
  explicit Work(const Options& options) : gan_(options.device), stream_(options.device), marks_(options.device, 2) {
    if (options.inference)
      describe_inference(options);
    else
      describe_step(options);
    if (!options.device.is_cpu()) run();  // from its second run on it is replayed
  }

  const Graph& graph() const { return *graph_; }
  const Plan& plan() const { return program_->plan(); }
  std::vector<double> profile() { return program_->profile(stream_); }

  double run() {  // -> seconds
    marks_.set(stream_, 0);
    program_->run(stream_);
    marks_.set(stream_, 1);
    stream_.wait();
    return marks_.seconds(0, 1);
  }

 private:
  void describe_step(const Options& options) {
    trainer_.emplace(gan_, options.step);
    for (Parameters* p : {&gan_.generator, &gan_.disc_global, &gan_.disc_patch, &gan_.vgg19})
      if (p->allocated()) p->initialise(0);
    bench::fill_with_numbers(trainer_->corrupted());
    bench::fill_with_numbers(trainer_->target(), -1, 1, 2);
    trainer_->step(0);  // sets rates and weights, warms up
    graph_ = &trainer_->graph().graph;
    program_ = &trainer_->program();
  }

  void describe_inference(const Options& options) {
    const StepOptions& o = options.step;
    layers_.emplace(own_graph_, gan_.generator, Mode::inference, generator_batch_norm(o.net), Init::glorot_uniform);
    const InpainterEnds ends =
        describe_inpainter(own_graph_, *layers_, options.device, o.net, o.batch, o.size, o.size, o.compute, o.rewrites);
    gan_.generator.allocate(false, o.compute);
    gan_.generator.initialise(0);
    Program::Bindings bindings;
    layers_->bind(bindings);
    own_program_.emplace(own_graph_, ipa::plan(own_graph_, std::vector{ends.output}, {.device = options.device}),
                         bindings);
    layers_->fold();
    bench::fill_with_numbers(own_program_->tensor(ends.input));
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
  TimeMarks marks_;
};

struct Report {
  Device device;
  std::optional<bench::Roof> roof;
  std::optional<double> seconds;  // of a whole run, the median; none where only predicted
  double arena_mib = 0;
  bench::StepTable table;
};

Report measure(const Options& options) {
  Work work(options);
  const Plan& plan = work.plan();
  Report report{.device = options.device};
  report.roof = options.roof.empty() ? bench::measure_roof(options.device) : bench::roof_of(options.roof);
  std::vector<std::vector<double>> times(plan.steps.size());
  std::vector<double> whole, medians;
  for (int r = 0; r < options.runs; ++r) {
    whole.push_back(work.run());
    const std::vector<double> once = work.profile();
    for (std::size_t s = 0; s < once.size(); ++s) times[s].push_back(once[s] * 1e-3);
  }
  for (const std::vector<double>& t : times) medians.push_back(bench::median(t));
  report.table = bench::tabulate(work.graph(), plan, *report.roof, &medians, options.shapes);
  report.seconds = bench::median(whole);
  report.arena_mib = static_cast<double>(plan.arena_bytes) / (1 << 20);
  return report;
}

// Of the plan alone: nothing is allocated, and a program without CUDA plans for it too.
Report predict(const Options& options) {
  Report report{.device = options.device, .roof = bench::roof_of(options.roof)};
  Gan gan(options.device);
  const StepOptions& o = options.step;
  auto tell = [&](const Graph& graph, const std::vector<Value>& outputs) {
    const Plan plan = ipa::plan(graph, outputs, {.device = options.device});
    report.table = bench::tabulate(graph, plan, *report.roof, nullptr, options.shapes);
    report.arena_mib = static_cast<double>(plan.arena_bytes) / (1 << 20);
  };
  if (options.inference) {
    Graph graph;
    Layers layers(graph, gan.generator, Mode::inference, generator_batch_norm(o.net), Init::glorot_uniform);
    tell(graph,
         {describe_inpainter(graph, layers, options.device, o.net, o.batch, o.size, o.size, o.compute, o.rewrites)
              .output});
  } else {
    StepGraph step(gan, o);
    step.rewrite(options.device, o.rewrites);
    tell(step.graph, step.outputs());
  }
  return report;
}

const char* task(const Options& options) { return options.inference ? "inference" : "step"; }

std::string title(const Report& report, const Options& options) {
  const StepOptions& o = options.step;
  return fmt::format("{} of {} slices {}x{} in {} on {}, width {}, discriminators {}",
                     options.inference ? "Inference" : "A training step", o.batch, o.size, o.size, to_string(o.compute),
                     options.predict ? (report.device.is_cpu() ? "a CPU" : "CUDA") : describe(report.device),
                     o.net.width, o.net.disc_width) +
         (options.inference ? "" : fmt::format(", {} layers of VGG-19", o.loss.style > 0 ? o.loss.style_layers : 0));
}

void print(const Report& report, const Options& options) {
  const bench::Row& all = report.table.all;
  const auto images = static_cast<double>(options.step.batch);
  fmt::print("{}\nroof ({}): {:.1f} GB/s, {:.1f} GFLOP/s; ", title(report, options), report.roof->name,
             report.roof->copy_gb_s, report.roof->gflop_s);
  if (report.seconds)
    fmt::print("medians of {} runs{}\n\n", options.runs,
               report.device.is_cpu() ? fmt::format(", {} threads", omp_get_max_threads()) : "");
  else
    fmt::print("predicted, nothing was run\n\n");
  fmt::print("{}\n", bench::to_text(report.table));
  fmt::print("floor {:.2f} ms ({:.2f} where bytes take longer, {:.2f} where FLOPs do): {:.1f} images/s at the roof\n",
             all.least_seconds * 1e3, all.least_by_bytes * 1e3, (all.least_seconds - all.least_by_bytes) * 1e3,
             images / all.least_seconds);
  if (report.seconds)
    fmt::print("{} {:.1f} ms, {:.2f} images/s, {:.1f} % of the roof\n", task(options), *report.seconds * 1e3,
               images / *report.seconds, 100 * all.least_seconds / *report.seconds);
  fmt::print("arena {:.0f} MiB\n", report.arena_mib);
}

nlohmann::json to_json(const bench::Row& row) {
  nlohmann::json json{{"op", row.name},
                      {"launches", row.launches},
                      {"least_seconds", row.least_seconds},
                      {"bytes", row.cost.bytes},
                      {"flops", row.cost.flops}};
  if (row.seconds) json["seconds"] = *row.seconds;
  return json;
}

void print_json(const Report& report, const Options& options) {
  nlohmann::json json{
      {"task", task(options)},
      {"device", report.device.is_cpu() ? "cpu" : "cuda"},
      {"predicted", !report.seconds},
      {"threads", omp_get_max_threads()},
      {"batch", options.step.batch},
      {"size", options.step.size},
      {"runs", options.runs},
      {"roof", {{"name", report.roof->name}, {"copy_gb_s", report.roof->copy_gb_s}, {"gflop_s", report.roof->gflop_s}}},
      {"arena_mib", report.arena_mib},
      {"all", to_json(report.table.all)},
      {"parts", nlohmann::json::array()},
      {"ops", nlohmann::json::array()}};
  if (report.seconds) json["seconds"] = *report.seconds;
  for (const bench::Row& row : report.table.parts) json["parts"].push_back(to_json(row));
  for (const bench::Row& row : report.table.kinds) json["ops"].push_back(to_json(row));
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
  std::string device = "cpu";
  app.add_option("--device", device, "cpu, cuda or cuda:N; on CUDA activations are bf16")->capture_default_str();
  app.add_flag("--predict", options.predict, "only what the graph and the roof say: nothing is run, for any device");
  app.add_option("--roof", options.roof, "h200, or GB/s,GFLOP/s; without it the device's is measured");
  std::string rewrites = "paying";
  app.add_option("--rewrites", rewrites,
                 "of the graph (docs/fusion.md): none, all, or those known to pay on the device")
      ->check(CLI::IsMember({"paying", "none", "all"}))
      ->capture_default_str();
  app.add_option("--roofline", options.roofline, "also draws the kinds of op into this file, SVG");
  CLI11_PARSE(app, argc, argv);
  if (options.step.loss.style_layers == 0) options.step.loss.style = 0;
  if (rewrites != "paying") options.step.rewrites = rewrites == "all" ? Rewrites::all() : Rewrites{};
  try {
    options.device = options.predict ? bench::device_of(device) : bench::usable_device_of(device);
    options.step.compute = compute_type_on(options.device);
    if (options.predict && options.roof.empty())
      fail(ErrorKind::usage, "--predict needs a roof", "", "add --roof h200, or --roof GB/s,GFLOP/s");
    if (options.serve) {
      serve(options);
      return 0;
    }
    const Report report = options.predict ? predict(options) : measure(options);
    if (!options.roofline.empty())
      write_file(options.roofline, bench::roofline_svg(title(report, options), report.table, *report.roof));
    options.json ? print_json(report, options) : print(report, options);
    return 0;
  } catch (const Error& e) {
    fmt::print(stderr, "bench_step: error: {}\n", e.what());
    return e.exit_code();
  }
}
