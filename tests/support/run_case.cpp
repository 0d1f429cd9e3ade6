#include "tests/support/run_case.h"

#include "engine/transfer.h"
#include "graph/ops.h"
#include "graph/program.h"
#include "tests/support/dot.h"

namespace ipa::test {
namespace {

constexpr std::size_t guard = 256;
constexpr unsigned char pattern = 0xA5;

// Fills the arena with NaNs, and what no storage covers with the guard pattern.
void poison(const Program& program) {
  std::vector<unsigned char> bytes(program.plan().arena_bytes, pattern);
  for (const Plan::Storage& s : program.plan().storages)
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(s.offset), s.bytes, static_cast<unsigned char>(0xFF));
  copy_to_device(bytes.data(), bytes.size(), program.arena().data(), program.arena().device());
}

bool guards_intact(const Program& program) {
  std::vector<unsigned char> bytes(program.plan().arena_bytes);
  copy_to_host(program.arena().data(), program.arena().device(), bytes.size(), bytes.data());
  std::vector<bool> covered(bytes.size(), false);
  for (const Plan::Storage& s : program.plan().storages)
    std::fill_n(covered.begin() + static_cast<std::ptrdiff_t>(s.offset), s.bytes, true);
  for (std::size_t i = 0; i < covered.size(); ++i)
    if (!covered[i] && bytes[i] != pattern) return false;
  return true;
}

bool padding_zero(const Tensor& t) {
  if (t.shape == scalar_shape || t.device.is_cpu()) return true;
  const TensorSpec spec = t.spec();
  std::vector<unsigned char> bytes(bytes_on(t.device, spec));
  copy_to_host(t.data, t.device, bytes.size(), bytes.data());
  const auto pitch = static_cast<std::size_t>(t.pitch) * size_of(t.dtype),
             used = static_cast<std::size_t>(t.shape.c) * size_of(t.dtype),
             rows = static_cast<std::size_t>(t.shape.pixels());
  for (std::size_t i = 0; i < bytes.size(); ++i)
    if ((i / pitch >= rows || i % pitch >= used) && bytes[i] != 0) return false;
  return true;
}

// A graph of the case, its seeds and gradients.
struct Built {
  Graph graph;
  std::vector<Value> in, out, dx, seeds;
  std::vector<Value> first, again;  // what can be recomputed, and recomputed
  std::vector<Buffer> buffers;
  Program::Bindings bindings;
};

void build(Built& b, const OpCase& c, bool gradients, const RunOptions& options) {
  for (const CaseInput& i : c.inputs) {
    const TensorSpec spec = i.spec(options.activations);
    b.in.push_back(i.state ? b.graph.state("state", spec) : b.graph.input("input", spec));
    if (!i.state) continue;
    b.buffers.emplace_back("state", bytes_on(options.device, spec), options.device);
    b.bindings[b.in.back().id] = b.buffers.back().tensor(spec);
  }
  b.out = c.build(b.graph, b.in);
  for (std::size_t n = 0, count = options.rewrites ? 0 : b.graph.nodes().size(); n < count; ++n) {
    const Graph::Node node = b.graph.nodes()[n];  // a copy: the list grows
    for (std::size_t o = 0; o < node.outputs.size(); ++o)
      if (const Value again = node.op->recompute(node.inputs, node.outputs, static_cast<int>(o))) {
        b.first.push_back(node.outputs[o]);
        b.again.push_back(again);
      }
  }
  if (!gradients) return;
  Value loss;
  for (const Value& v : b.out) {
    b.seeds.push_back(b.graph.input("weights", v.spec()));
    const Value term = dot(v, b.seeds.back());
    loss = loss ? add(loss, term) : term;
  }
  std::vector<Value> wrt;
  for (std::size_t i = 0; i < b.in.size(); ++i)
    if (c.inputs[i].gradient && !c.inputs[i].state) wrt.push_back(b.in[i]);
  b.dx = grad(loss, wrt);
  for (const Value& v : b.dx)
    require(static_cast<bool>(v),
            "case " + c.name + ": an input that should have a gradient does not reach the outputs");
}

}  // namespace

std::vector<Array> case_inputs(const OpCase& c, unsigned seed, DType activations) {
  std::vector<Array> inputs;
  for (const CaseInput& in : c.inputs) {
    inputs.push_back(random_array(in.shape, in.low, in.high, ++seed * 7919));
    if (in.map) inputs.back() = map(inputs.back(), in.map);
    if (in.spec(activations).dtype == DType::bf16)
      inputs.back() = map(inputs.back(), [](double v) { return double{to_float(to_bf16(static_cast<float>(v)))}; });
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

CaseResult run_case(const OpCase& c, const std::vector<Array>& inputs, bool gradients, unsigned seed,
                    const RunOptions& options) {
  Built b;
  build(b, c, gradients, options);
  std::vector<Value> outputs = b.out;
  for (const std::vector<Value>* more : {&b.dx, &b.first, &b.again})
    outputs.insert(outputs.end(), more->begin(), more->end());
  CaseResult result;
  if (options.rewrites) {
    Rewritten rewritten = rewrite(b.graph, outputs, options.device, *options.rewrites);
    for (const Rewritten::Change& change : rewritten.changes) result.rewritten += change.places;
    b.graph.replace(std::move(rewritten.lists));
  }
  Program program(b.graph,
                  plan(b.graph, outputs, {.device = options.device, .share = options.share, .guard_bytes = guard}),
                  b.bindings);
  const std::vector<Array> weights = gradients ? output_weights(c, seed) : std::vector<Array>{};
  auto used = [&](Value v) { return program.plan().storage_of[static_cast<std::size_t>(v.id)] >= 0; };
  Stream stream(options.device);
  for (int run = 0; run < options.runs; ++run) {
    poison(program);
    for (std::size_t i = 0; i < b.in.size(); ++i)
      if (c.inputs[i].state || used(b.in[i])) to_tensor(inputs[i], program.tensor(b.in[i]));
    for (std::size_t k = 0; k < b.seeds.size(); ++k)
      if (used(b.seeds[k])) to_tensor(weights[k], program.tensor(b.seeds[k]));
    program.run(stream);
    stream.wait();
  }

  auto read = [&](Value v) {
    result.padding_zero &= padding_zero(program.tensor(v));
    return from_tensor(program.tensor(v));
  };
  for (const Value& v : b.out) result.outputs.push_back(read(v));
  for (std::size_t i = 0; i < b.in.size(); ++i)
    if (c.inputs[i].state) result.outputs.push_back(read(b.in[i]));
  for (std::size_t k = 0; k < b.first.size(); ++k)
    result.recomputed_same_bits &= read(b.first[k]).v == read(b.again[k]).v;
  std::size_t next = 0;
  for (const CaseInput& i : c.inputs)
    if (gradients) result.gradients.push_back(i.gradient && !i.state ? read(b.dx[next++]) : Array(Shape{0, 0, 0, 0}));
  result.guards_intact = guards_intact(program);
  return result;
}

}  // namespace ipa::test
