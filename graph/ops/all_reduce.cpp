#include "graph/ops/all_reduce.h"

#include "graph/ops.h"

namespace ipa {
namespace {

class StartAllReduce final : public Op {
 public:
  explicit StartAllReduce(Comm& comm) : comm_(comm) {}
  std::string name() const override { return "start all-reduce"; }
  std::vector<TensorSpec> infer(Specs) const override { return {}; }
  Launch prepare(Device, Specs, Specs) const override {
    return {[comm = &comm_](const Call& c) { comm->start_all_reduce(c.stream, c.in[0]); }};
  }
  bool mutates(int) const override { return true; }
  // Of a ring: each rank sends, and receives, twice its state but for one part in `size`.
  Cost cost(Specs in, Specs) const override {
    return {2.0 * static_cast<double>(in[0].bytes()) * (comm_.size() - 1) / comm_.size(), 0};
  }

 private:
  Comm& comm_;
};

class FinishAllReduce final : public Op {
 public:
  explicit FinishAllReduce(Comm& comm) : comm_(comm) {}
  std::string name() const override { return "finish all-reduce"; }
  std::vector<TensorSpec> infer(Specs) const override { return {}; }
  Launch prepare(Device, Specs, Specs) const override {
    return {[comm = &comm_](const Call& c) { comm->finish(c.stream); }};
  }
  bool mutates(int) const override { return true; }
  Cost cost(Specs, Specs) const override { return {}; }

 private:
  Comm& comm_;
};

}  // namespace

bool starts_all_reduce(const Op& op) { return dynamic_cast<const StartAllReduce*>(&op) != nullptr; }
bool finishes_all_reduce(const Op& op) { return dynamic_cast<const FinishAllReduce*>(&op) != nullptr; }

void start_all_reduce(Value state, Comm& comm) {
  state.graph->apply(std::make_shared<const StartAllReduce>(comm), {state});
}

void finish_all_reduce(Value state, Comm& comm) {
  state.graph->apply(std::make_shared<const FinishAllReduce>(comm), {state});
}

}  // namespace ipa
