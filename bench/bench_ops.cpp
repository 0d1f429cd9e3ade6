// Times every op at the sizes of the real networks, one line per op that runs: the `bench_only` cases of tests/cases,
// forward and with gradients, and with --batch every op of the networks' own graphs. Bytes and FLOPs are what Op::cost
// says must move and be done; the last column is the time that the slower of the two would take at this machine's roof,
// measured in the same run, as a share of the time it took.
//   bench_ops --device cuda --batch 1,8,16,32 --errors --json >now.json
//   bench_ops --from now.json --compare then.json
#include <fmt/core.h>
#include <omp.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>

#include "bench/device_option.h"
#include "bench/op_error.h"
#include "bench/op_networks.h"
#include "graph/ops.h"
#include "tests/support/dot.h"
#include "tests/support/run_case.h"

namespace {

using namespace ipa;
using namespace ipa::test;
using namespace ipa::bench;

// A case's op with the gradients of a weighting of its outputs, bound to memory and filled.
struct Bench {
  Graph graph;
  std::vector<Buffer> buffers;
  Program::Bindings states;
  std::vector<Value> outputs, seeds;

  std::vector<Value> inputs;

  Bench(const OpCase& c, Device device) {
    std::vector<Value> in, wrt;
    for (const CaseInput& i : c.inputs) {
      const TensorSpec spec = i.spec(compute_type_on(device));
      in.push_back(i.state ? graph.state("state", spec) : graph.input("input", spec));
      if (i.gradient && !i.state) wrt.push_back(in.back());
      if (!i.state) continue;
      buffers.emplace_back("state", bytes_on(device, spec), device);
      states[in.back().id] = buffers.back().tensor(spec);
    }
    {
      const Graph::Scope scope(graph, "case");  // what is timed; the weighting stands outside
      outputs = c.build(graph, in);
    }
    Value loss;
    for (const Value& v : wrt.empty() ? std::vector<Value>{} : outputs) {
      seeds.push_back(graph.input("weights", v.spec()));
      const Value term = dot(v, seeds.back());
      loss = loss ? add(loss, term) : term;
    }
    if (loss)
      for (const Value& v : grad(loss, wrt)) outputs.push_back(v);
    inputs = std::move(in);
  }

  void fill(const OpCase& c, const Program& program) const {
    const std::vector<Array> values = case_inputs(c, 1);
    auto used = [&](Value v) { return program.plan().storage_of[static_cast<std::size_t>(v.id)] >= 0; };
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (c.inputs[i].state || used(inputs[i])) to_tensor(values[i], program.tensor(inputs[i]));
    for (const Value& v : seeds)
      if (used(v)) to_tensor(random_array(v.shape(), -1, 1, 2), program.tensor(v));
  }
};

CaseReport measure(const OpCase& c, OpTimer& timer, const Roof& roof, bool errors) {
  const Device device = timer.stream().device();
  CaseReport report{.name = c.name};
  {
    const Bench bench(c, device);
    Program program(bench.graph, plan(bench.graph, bench.outputs, {.device = device}), bench.states);
    bench.fill(c, program);
    std::vector<std::size_t> steps;
    for (std::size_t s = 0; s < program.plan().steps.size(); ++s)
      if (bench.graph.nodes()[static_cast<std::size_t>(program.plan().steps[s].node)].scope.ends_with("case"))
        steps.push_back(s);
    report.ops = timer.measure(bench.graph, program, steps, roof);
  }
  if (errors && c.reference) report.error = error_of(c, device);
  return report;
}

struct Options {
  std::string device = "cpu", filter, from, compare;
  std::vector<std::int64_t> batches;
  StepOptions step;
  int runs = 7;
  std::optional<bool> flush;
  bool errors = false, json = false;
};

// Tells each case as soon as it is measured, by `tell`.
OpReport measure(const Options& options, const std::function<void(const OpReport&)>& begin,
                 const std::function<void(const CaseReport&)>& tell) {
  const Device device = usable_device_of(options.device);
  const bool flush = options.flush.value_or(!device.is_cpu());
  OpReport report{describe(device), omp_get_max_threads(), options.runs, flush, measure_roof(device)};
  begin(report);
  OpTimer timer(device, flush, options.runs);
  auto take = [&](CaseReport one) {
    tell(one);
    report.cases.push_back(std::move(one));
  };
  for (const OpCase& c : all_cases())
    if (c.bench_only && c.name.find(options.filter) != std::string::npos)
      take(measure(c, timer, report.roof, options.errors));
  StepOptions step = options.step;
  step.compute = compute_type_on(device);
  for (const std::int64_t batch : options.batches) {
    step.batch = batch;
    for (const NetworkOp& op : network_ops(step, device))
      if (op.name.find(options.filter) != std::string::npos)
        take(bench::measure(op, timer, report.roof, options.errors));
  }
  return report;
}

void run(const Options& options) {
  const bool quiet = options.json || !options.compare.empty();
  auto say = [quiet](const std::string& text) {
    if (quiet) return;
    fmt::print("{}", text);
    std::fflush(stdout);
  };
  auto begin = [&](const OpReport& r) { say(heading(r)); };
  auto tell = [&](const CaseReport& c) { say(to_text(c)); };
  OpReport now;
  if (options.from.empty()) {
    now = measure(options, begin, tell);
  } else {
    now = read_op_report(options.from);
    begin(now);
    for (const CaseReport& c : now.cases) tell(c);
  }
  if (options.json) fmt::print("{}\n", to_json(now));
  if (!options.compare.empty())
    fmt::print(options.json ? stderr : stdout, "{}", comparison(read_op_report(options.compare), now));
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Times every op at the sizes of the real networks, forward and backward, beside the device's roof");
  app.add_option("--device", options.device, "cpu, cuda or cuda:N; on CUDA activations are bf16")
      ->capture_default_str();
  app.add_option("--filter", options.filter, "only cases and ops whose name holds this");
  app.add_option("--batch", options.batches, "also every op of the real networks at these batch sizes: 1,8,16,32")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  app.add_option("--width", options.step.net.width, "of the networks' generator")->capture_default_str();
  app.add_option("--disc-width", options.step.net.disc_width, "of their discriminators")->capture_default_str();
  app.add_option("--size", options.step.size, "side of their slices")->capture_default_str();
  app.add_option("--runs", options.runs, "medians of so many")->check(CLI::PositiveNumber)->capture_default_str();
  bool flush = false;
  const CLI::Option* const asked =
      app.add_flag("--flush,!--no-flush", flush,
                   "fill the caches with other data before each run; without either: on CUDA, not on the CPU");
  app.add_flag(
      "--errors", options.errors,
      "also relative errors against double: of cases' values and each input's gradient, of networks' convolutions");
  app.add_flag("--json", options.json, "one JSON object");
  app.add_option("--from", options.from, "measures nothing: what an earlier --json wrote");
  app.add_option("--compare", options.compare, "a table beside what an earlier --json wrote");
  CLI11_PARSE(app, argc, argv);
  if (asked->count() > 0) options.flush = flush;
  try {
    run(options);
    return 0;
  } catch (const Error& e) {
    fmt::print(stderr, "bench_ops: error: {}\n", e.what());
    return e.exit_code();
  }
}
