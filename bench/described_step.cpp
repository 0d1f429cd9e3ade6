#include "bench/described_step.h"

#include "graph/cost.h"
#include "graph/ops/all_reduce.h"

namespace ipa::bench {
namespace {

// Stands in the graph for ranks that nobody runs.
class DescribedRanks final : public Comm {
 public:
  int rank() const override { return 0; }
  int size() const override { return 2; }  // the graph of any other number is the same, but for a factor
  void start_all_reduce(Stream&, Tensor) override { refuse(); }
  void finish(Stream&) override { refuse(); }
  void broadcast(Tensor, int) override { refuse(); }
  unsigned any(unsigned flags) override {
    refuse();
    return flags;
  }

 private:
  static void refuse() { require(false, "a step that is only described does not run"); }
};

}  // namespace

std::vector<DescribedStep::Part> parts_of(const Graph& graph, const Plan& plan) {
  std::vector<DescribedStep::Part> parts;
  for (const Plan::Step& step : plan.steps) {
    const Graph::Node& node = graph.nodes()[static_cast<std::size_t>(step.node)];
    DescribedStep::Part part{node.op->name(), StepEvent::Kind::compute, {}, 0};
    if (starts_all_reduce(*node.op)) {
      part.kind = StepEvent::Kind::start;
      part.bytes = static_cast<double>(graph.info(node.inputs[0]).spec.bytes());
    } else if (finishes_all_reduce(*node.op)) {
      part.kind = StepEvent::Kind::finish;
    } else {
      part.cost = cost_on(plan.device, graph, node);
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

DescribedStep describe_step(const StepOptions& options, Device device, bool over_ranks) {
  DescribedRanks ranks;
  Gan gan(device);
  StepGraph step(gan, options, over_ranks ? &ranks : nullptr);
  step.rewrite(device);
  const Plan planned = plan(step.graph, step.outputs(), {.device = device});
  return {options.batch, parts_of(step.graph, planned), static_cast<double>(planned.arena_bytes) / (1 << 30)};
}

std::vector<double> DescribedStep::buckets() const {
  std::vector<double> bytes;
  for (const Part& part : parts)
    if (part.kind == StepEvent::Kind::start) bytes.push_back(part.bytes);
  return bytes;
}

}  // namespace ipa::bench
