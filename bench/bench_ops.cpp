// Times every op at the sizes of the real networks: the `bench_only` cases of tests/cases, forward and with gradients,
// one line per op that runs. Bytes and FLOPs are what Op::cost says must move and be done; the last column is the time
// that the slower of the two would take at this machine's roof, as a share of the time it took.
//   bench_ops [--filter TEXT] [--runs N]
#include <fmt/core.h>
#include <omp.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "bench/roof.h"
#include "graph/ops.h"
#include "graph/program.h"
#include "tests/support/dot.h"
#include "tests/support/run_case.h"

namespace {

using namespace ipa;
using namespace ipa::test;

struct Options {
  std::string filter;
  int runs = 7;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--filter" && i + 1 < argc)
      options.filter = argv[++i];
    else if (name == "--runs" && i + 1 < argc && std::atoi(argv[i + 1]) > 0)
      options.runs = std::atoi(argv[++i]);
    else
      fail(ErrorKind::usage, fmt::format("cannot use '{}'", name), {}, "bench_ops [--filter TEXT] [--runs N]");
  }
  return options;
}

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

// A case's op with the gradients of a weighting of its outputs, bound to memory and filled.
struct Bench {
  Graph graph;
  std::vector<Buffer> buffers;
  Program::Bindings states;
  std::vector<Value> outputs, seeds;

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

  std::vector<Value> inputs;
};

void time_case(const OpCase& c, const Options& options, const bench::Roof& roof) {
  const Bench bench(c);
  Program program(bench.graph, plan(bench.graph, bench.outputs), bench.states);
  bench.fill(c, program);
  Stream stream;
  program.run(stream);  // warm-up
  const std::vector<Plan::Step>& steps = program.plan().steps;
  std::vector<std::vector<double>> times(steps.size());
  for (int run = 0; run < options.runs; ++run) {
    const std::vector<double> once = program.profile(stream);
    for (std::size_t s = 0; s < steps.size(); ++s) times[s].push_back(once[s]);
  }
  fmt::print("{}\n", c.name);
  for (std::size_t s = 0; s < steps.size(); ++s) {
    const Graph::Node& node = bench.graph.nodes()[static_cast<std::size_t>(steps[s].node)];
    if (!node.scope.ends_with("case")) continue;
    std::vector<TensorSpec> in, out;
    for (const Value& v : node.inputs) in.push_back(v ? v.spec() : TensorSpec{{0, 0, 0, 0}, DType::f32});
    for (const Value& v : node.outputs) out.push_back(v.spec());
    const Cost cost = node.op->cost(in, out);
    const double seconds = median(times[s]) * 1e-3;
    const double least = std::max(cost.bytes * 1e-9 / roof.copy_gb_s, cost.flops * 1e-9 / roof.gflop_s);
    fmt::print("  {:<34} {:9.3f} ms {:8.1f} GB/s {:8.1f} GFLOP/s {:6.1f} %\n", node.op->name(), seconds * 1e3,
               cost.bytes * 1e-9 / seconds, cost.flops * 1e-9 / seconds, 100 * least / seconds);
  }
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = parse(argc, argv);
    const bench::Roof roof = bench::measure_roof();
    fmt::print("{} threads; roof: copy {:.1f} GB/s, multiply-add {:.1f} GFLOP/s; medians of {} runs\n",
               omp_get_max_threads(), roof.copy_gb_s, roof.gflop_s, options.runs);
    for (const OpCase& c : all_cases())
      if (c.bench_only && c.name.find(options.filter) != std::string::npos) time_case(c, options, roof);
    return 0;
  } catch (const Error& e) {
    fmt::print(stderr, "{}\n", e.what());
    return e.exit_code();
  }
}
