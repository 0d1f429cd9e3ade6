#include "tests/support/run_case.h"

#include <cstring>

#include "graph/ops.h"
#include "graph/program.h"
#include "tests/support/dot.h"

namespace ipa::test {
namespace {

constexpr std::size_t guard = 256;
constexpr unsigned char pattern = 0xA5;

// Fills the arena with NaNs, and what no storage covers with the guard pattern.
void poison(const Program& program) {
  auto* bytes = static_cast<unsigned char*>(program.arena().data());
  std::memset(bytes, pattern, program.plan().arena_bytes);
  for (const Plan::Storage& s : program.plan().storages) std::memset(bytes + s.offset, 0xFF, s.bytes);
}

bool guards_intact(const Program& program) {
  const auto* bytes = static_cast<const unsigned char*>(program.arena().data());
  std::vector<bool> covered(program.plan().arena_bytes, false);
  for (const Plan::Storage& s : program.plan().storages)
    std::fill_n(covered.begin() + static_cast<std::ptrdiff_t>(s.offset), s.bytes, true);
  for (std::size_t i = 0; i < covered.size(); ++i)
    if (!covered[i] && bytes[i] != pattern) return false;
  return true;
}

}  // namespace

std::vector<Array> case_inputs(const OpCase& c, unsigned seed) {
  std::vector<Array> inputs;
  for (const CaseInput& in : c.inputs) {
    inputs.push_back(random_array(in.shape, in.low, in.high, ++seed * 7919));
    if (in.map) inputs.back() = map(inputs.back(), in.map);
  }
  return inputs;
}

std::vector<Array> output_weights(const OpCase& c, unsigned seed) {
  Graph graph;
  std::vector<Value> in;
  for (const CaseInput& i : c.inputs) in.push_back(i.state ? graph.state("s", {i.shape}) : graph.input("x", {i.shape}));
  std::vector<Array> weights;
  for (const Value& v : c.build(graph, in)) weights.push_back(random_array(v.shape(), -1, 1, ++seed * 104729));
  return weights;
}

CaseResult run_case(const OpCase& c, const std::vector<Array>& inputs, bool gradients, unsigned seed, bool share) {
  Graph graph;
  std::vector<Value> in, wrt;
  std::vector<Buffer> buffers;
  Program::Bindings bindings;
  for (const CaseInput& i : c.inputs) {
    in.push_back(i.state ? graph.state("state", {i.shape}) : graph.input("input", {i.shape}));
    if (!i.state) continue;
    buffers.emplace_back("state", TensorSpec{i.shape}.bytes());
    bindings[in.back().id] = buffers.back().tensor({i.shape});
  }
  const std::vector<Value> out = c.build(graph, in);
  std::vector<Value> outputs = out, dx, weight_values;
  std::vector<Array> weights;
  if (gradients) {
    weights = output_weights(c, seed);
    Value loss;
    for (std::size_t k = 0; k < weights.size(); ++k) {
      weight_values.push_back(graph.input("weights", {weights[k].shape}));
      const Value term = dot(out[k], weight_values[k]);
      loss = loss ? add(loss, term) : term;
    }
    for (std::size_t i = 0; i < in.size(); ++i)
      if (c.inputs[i].gradient && !c.inputs[i].state) wrt.push_back(in[i]);
    dx = grad(loss, wrt);
    for (const Value& v : dx) {
      require(static_cast<bool>(v),
              "case " + c.name + ": an input that should have a gradient does not reach the outputs");
      outputs.push_back(v);
    }
  }
  Program program(graph, plan(graph, outputs, {.share = share, .guard_bytes = guard}), bindings);
  poison(program);
  auto used = [&](Value v) { return program.plan().storage_of[static_cast<std::size_t>(v.id)] >= 0; };
  for (std::size_t i = 0; i < in.size(); ++i)
    if (c.inputs[i].state || used(in[i])) to_tensor(inputs[i], program.tensor(in[i]));
  for (std::size_t k = 0; k < weights.size(); ++k)
    if (used(weight_values[k])) to_tensor(weights[k], program.tensor(weight_values[k]));
  Stream stream;
  program.run(stream);

  CaseResult result;
  for (const Value& v : out) result.outputs.push_back(from_tensor(program.tensor(v)));
  for (std::size_t i = 0; i < in.size(); ++i)
    if (c.inputs[i].state) result.outputs.push_back(from_tensor(program.tensor(in[i])));
  if (gradients) {
    std::size_t k = 0;
    for (const CaseInput& i : c.inputs)
      result.gradients.push_back(i.gradient && !i.state ? from_tensor(program.tensor(dx[k++]))
                                                        : Array(Shape{0, 0, 0, 0}));
  }
  result.guards_intact = guards_intact(program);
  return result;
}

}  // namespace ipa::test
