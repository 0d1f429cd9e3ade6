// Times every op at the sizes of the real networks: the `bench_only` cases of tests/cases, forward and with gradients,
// one line per op that runs. Bytes and FLOPs are what Op::cost says must move and be done; the last column is the time
// that the slower of the two would take at this machine's roof, measured in the same run, as a share of the time it
// took.
#include <fmt/core.h>
#include <omp.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/node_cost.h"
#include "bench/op_error.h"
#include "bench/roof.h"
#include "graph/ops.h"
#include "graph/program.h"
#include "tests/support/dot.h"
#include "tests/support/run_case.h"

namespace {

using namespace ipa;
using namespace ipa::test;

// A case's op with the gradients of a weighting of its outputs, bound to memory and filled.
struct Bench {
  Graph graph;
  std::vector<Buffer> buffers;
  Program::Bindings states;
  std::vector<Value> outputs, seeds;

  std::vector<Value> inputs;

  explicit Bench(const OpCase& c) {
    std::vector<Value> in, wrt;
    for (const CaseInput& i : c.inputs) {
      in.push_back(i.state ? graph.state("state", {i.shape}) : graph.input("input", {i.shape}));
      if (i.gradient && !i.state) wrt.push_back(in.back());
      if (!i.state) continue;
      buffers.emplace_back("state", TensorSpec{i.shape}.bytes());
      states[in.back().id] = buffers.back().tensor({i.shape});
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

struct Timing {
  std::string op;
  double seconds, least_seconds;
  Cost cost;
};

struct CaseReport {
  std::string name;
  std::vector<Timing> ops;
  std::optional<bench::OpError> error;
};

CaseReport measure(const OpCase& c, int runs, bool errors, const bench::Roof& roof) {
  CaseReport report{.name = c.name};
  {
    const Bench bench(c);
    Program program(bench.graph, plan(bench.graph, bench.outputs), bench.states);
    bench.fill(c, program);
    Stream stream;
    program.run(stream);  // warm-up
    const std::vector<Plan::Step>& steps = program.plan().steps;
    std::vector<std::vector<double>> times(steps.size());
    for (int run = 0; run < runs; ++run) {
      const std::vector<double> once = program.profile(stream);
      for (std::size_t s = 0; s < steps.size(); ++s) times[s].push_back(once[s]);
    }
    for (std::size_t s = 0; s < steps.size(); ++s) {
      const Graph::Node& node = bench.graph.nodes()[static_cast<std::size_t>(steps[s].node)];
      if (!node.scope.ends_with("case")) continue;
      const Cost cost = bench::cost_of(bench.graph, node);
      report.ops.push_back({node.op->name(), bench::median(times[s]) * 1e-3, roof.least_seconds(cost), cost});
    }
  }
  if (errors && c.reference) report.error = bench::error_of(c);
  return report;
}

void print(const CaseReport& report) {
  fmt::print("{}", report.name);
  if (report.error) {
    fmt::print("  [error {:.1e}", report.error->value);
    for (const std::optional<double>& g : report.error->gradients) g ? fmt::print(", {:.1e}", *g) : fmt::print(", -");
    fmt::print("]");
  }
  fmt::print("\n");
  for (const Timing& t : report.ops)
    fmt::print("  {:<34} {:9.3f} ms {:8.1f} GB/s {:8.1f} GFLOP/s {:6.1f} %\n", t.op, t.seconds * 1e3,
               t.cost.bytes * 1e-9 / t.seconds, t.cost.flops * 1e-9 / t.seconds, 100 * t.least_seconds / t.seconds);
  std::fflush(stdout);
}

nlohmann::json to_json(const CaseReport& report) {
  nlohmann::json json{{"name", report.name}, {"ops", nlohmann::json::array()}};
  for (const Timing& t : report.ops)
    json["ops"].push_back({{"op", t.op},
                           {"seconds", t.seconds},
                           {"least_seconds", t.least_seconds},
                           {"bytes", t.cost.bytes},
                           {"flops", t.cost.flops}});
  if (report.error) {
    json["error"] = {{"value", report.error->value}, {"gradients", nlohmann::json::array()}};
    for (const std::optional<double>& g : report.error->gradients)
      json["error"]["gradients"].push_back(g ? nlohmann::json(*g) : nlohmann::json());
  }
  return json;
}

}  // namespace

int main(int argc, char** argv) {
  std::string filter;
  int runs = 7;
  bool errors = false, as_json = false;
  CLI::App app("Times every op at the sizes of the real networks, forward and backward, beside this machine's roof");
  app.add_option("--filter", filter, "only cases whose name holds this");
  app.add_option("--runs", runs, "medians of so many")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_flag("--errors", errors, "also the relative error of values and of each input's gradient against double");
  app.add_flag("--json", as_json, "one JSON object");
  CLI11_PARSE(app, argc, argv);
  try {
    const bench::Roof roof = bench::measure_roof();
    if (!as_json)
      fmt::print("{} threads; roof: copy {:.1f} GB/s, multiply-add {:.1f} GFLOP/s; medians of {} runs\n",
                 omp_get_max_threads(), roof.copy_gb_s, roof.gflop_s, runs);
    nlohmann::json cases = nlohmann::json::array();
    for (const OpCase& c : all_cases()) {
      if (!c.bench_only || c.name.find(filter) == std::string::npos) continue;
      const CaseReport report = measure(c, runs, errors, roof);
      if (as_json)
        cases.push_back(to_json(report));
      else
        print(report);
    }
    if (as_json)
      fmt::print("{}\n", nlohmann::json{{"threads", omp_get_max_threads()},
                                        {"runs", runs},
                                        {"roof", {{"copy_gb_s", roof.copy_gb_s}, {"gflop_s", roof.gflop_s}}},
                                        {"cases", std::move(cases)}}
                             .dump(1));
    return 0;
  } catch (const Error& e) {
    fmt::print(stderr, "bench_ops: error: {}\n", e.what());
    return e.exit_code();
  }
}
