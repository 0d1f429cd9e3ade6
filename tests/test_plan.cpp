// The memory plan of random graphs, checked by brute force: every step is replayed on a model of the arena that knows
// which value each byte range holds.
#include <catch2/catch.hpp>
#include <random>

#include "graph/program.h"

using namespace ipa;

namespace {

using Random = std::mt19937;
int draw(Random& r, int low, int high) { return std::uniform_int_distribution<int>(low, high)(r); }

// Any number of inputs and outputs; element k of every output depends on element k of every input. Scribbles over its
// workspace. May work in place where `in_place` says so.
class Mix final : public Op {
 public:
  Mix(std::vector<TensorSpec> out, unsigned in_place, std::size_t workspace)
      : out_(std::move(out)), in_place_(in_place), workspace_(workspace) {}
  std::string name() const override { return "mix"; }
  std::vector<TensorSpec> infer(Specs) const override { return out_; }
  Launch prepare(Device, Specs, Specs) const override {
    return {[bytes = workspace_](const Call& c) {
              std::int64_t most = 0;
              for (const Tensor& t : c.out) most = std::max(most, t.elements());
              for (std::int64_t k = 0; k < most; ++k) {
                float sum = static_cast<float>(k % 7);
                for (std::size_t i = 0; i < c.in.size(); ++i)
                  if (k < c.in[i].elements()) sum += c.in[i].f32()[k] * (0.25f + 0.1f * static_cast<float>(i));
                for (std::size_t o = 0; o < c.out.size(); ++o)
                  if (k < c.out[o].elements()) c.out[o].f32()[k] = sum - static_cast<float>(o);
              }
              std::fill_n(static_cast<unsigned char*>(c.workspace), bytes, static_cast<unsigned char>(0xFF));
            },
            workspace_};
  }
  bool in_place(int i, int o) const override { return in_place_ >> ((i * 3 + o) % 16) & 1; }

 private:
  std::vector<TensorSpec> out_;
  unsigned in_place_;
  std::size_t workspace_;
};

std::vector<Value> random_graph(Graph& g, Random& r) {
  auto spec = [&] { return TensorSpec{{1, 1, draw(r, 1, 3), 1 << draw(r, 0, 6)}}; };  // few, so that sizes recur
  std::vector<Value> values;
  for (int i = draw(r, 1, 3); i > 0; --i) values.push_back(g.input("input", spec()));
  for (int n = draw(r, 1, 40); n > 0; --n) {
    std::vector<Value> in;
    for (int i = draw(r, 0, 3); i > 0; --i) {
      // Mostly recent values, so that lives are short; sometimes one given twice.
      const int newest = static_cast<int>(values.size()) - 1;
      in.push_back(values[static_cast<std::size_t>(draw(r, draw(r, 0, 3) ? std::max(0, newest - 4) : 0, newest))]);
    }
    std::vector<TensorSpec> out;
    for (int o = draw(r, 1, 3); o > 0; --o) out.push_back(!in.empty() && draw(r, 0, 1) ? in.back().spec() : spec());
    const std::size_t workspace = draw(r, 0, 2) ? 0 : static_cast<std::size_t>(draw(r, 1, 500));
    for (const Value& v :
         g.apply(std::make_shared<const Mix>(out, static_cast<unsigned>(draw(r, 0, 65535)), workspace), in))
      values.push_back(v);
  }
  std::vector<Value> outputs;
  for (int i = draw(r, 1, 4); i > 0; --i)
    outputs.push_back(values[static_cast<std::size_t>(draw(r, 0, static_cast<int>(values.size()) - 1))]);
  return outputs;
}

struct Range {
  std::size_t first, last;
  bool overlaps(const Range& o) const { return first < o.last && o.first < last; }
};

// Replays a plan; `holds[id]` is whether value id's memory still holds it.
class Replay {
 public:
  Replay(const Graph& g, const Plan& p) : graph_(g), plan_(p), holds_(g.infos().size(), false) {
    for (const Value& v : p.inputs) write(v, range(v));
  }

  void step(const Plan::Step& s) {
    const Graph::Node& node = graph_.nodes()[static_cast<std::size_t>(s.node)];
    for (const Value& v : node.inputs) CHECK(holds(v));
    for (std::size_t o = 0; o < node.outputs.size(); ++o) {
      const Range out = range(node.outputs[o]);
      for (std::size_t i = 0; i < node.inputs.size(); ++i)
        if (out.overlaps(range(node.inputs[i]))) {
          // In place: exactly the same memory, allowed, and the only use of that input and of that memory.
          CHECK(plan_.storage_of[id(node.inputs[i])] == plan_.storage_of[id(node.outputs[o])]);
          CHECK(node.op->in_place(static_cast<int>(i), static_cast<int>(o)));
          CHECK(node.inputs[i].spec() == node.outputs[o].spec());
          CHECK(std::count(node.inputs.begin(), node.inputs.end(), node.inputs[i]) == 1);
          ++in_place;
        }
      for (std::size_t other = 0; other < o; ++other) CHECK_FALSE(out.overlaps(range(node.outputs[other])));
    }
    if (s.workspace >= 0) {
      const Range work = range(s.workspace);
      for (const Value& v : node.inputs) CHECK_FALSE(work.overlaps(range(v)));
      for (const Value& v : node.outputs) CHECK_FALSE(work.overlaps(range(v)));
      overwrite(work);
    }
    for (const Value& v : node.outputs) write(v, range(v));
  }

  bool holds(Value v) const { return holds_[id(v)]; }
  int in_place = 0;

 private:
  static std::size_t id(Value v) { return static_cast<std::size_t>(v.id); }
  Range range(int storage) const {
    const Plan::Storage& s = plan_.storages[static_cast<std::size_t>(storage)];
    return {s.offset, s.offset + s.bytes};
  }
  Range range(Value v) const { return range(plan_.storage_of[id(v)]); }
  void overwrite(const Range& r) {
    for (std::size_t v = 0; v < holds_.size(); ++v)
      if (holds_[v] && r.overlaps(range(plan_.storage_of[v]))) holds_[v] = false;
  }
  void write(Value v, const Range& r) {
    overwrite(r);
    holds_[id(v)] = true;
  }

  const Graph& graph_;
  const Plan& plan_;
  std::vector<bool> holds_;
};

std::vector<std::vector<float>> run(const Graph& g, const std::vector<Value>& outputs, bool share) {
  Program program(g, plan(g, outputs, {.share = share}), {});
  for (const Value& v : program.plan().inputs)
    for (std::int64_t i = 0; i < v.shape().elements(); ++i)
      program.tensor(v).f32()[i] = static_cast<float>(v.id) + 0.01f * static_cast<float>(i);
  Stream stream;
  program.run(stream);
  program.run(stream);
  std::vector<std::vector<float>> result;
  for (const Value& v : outputs) {
    const Tensor t = program.tensor(v);
    result.emplace_back(t.f32(), t.f32() + t.elements());
  }
  return result;
}

}  // namespace

TEST_CASE("in random graphs nothing is overwritten before its last use") {
  int in_place = 0;
  std::size_t shared = 0, unshared = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    INFO("seed " << seed);
    Random r(seed);
    Graph g;
    const std::vector<Value> outputs = random_graph(g, r);
    const Plan p = plan(g, outputs, {.guard_bytes = seed % 3 ? 0u : 100u});

    Replay replay(g, p);
    for (const Plan::Step& s : p.steps) replay.step(s);
    for (const Value& v : outputs) CHECK(replay.holds(v));
    for (const Value& v : p.inputs) CHECK(replay.holds(v));  // for the next run
    CHECK(replay.in_place == p.in_place);
    for (const Plan::Storage& s : p.storages) {
      CHECK(s.offset % 64 == 0);
      CHECK(s.offset + s.bytes <= p.arena_bytes);
    }
    for (std::size_t a = 0; a < p.storages.size(); ++a)
      for (std::size_t b = 0; b < a; ++b) {
        const Plan::Storage &s = p.storages[a], &t = p.storages[b];
        if (s.first <= t.last && t.first <= s.last)
          CHECK((s.offset + s.bytes <= t.offset || t.offset + t.bytes <= s.offset));
      }
    in_place += p.in_place;
    shared += p.arena_bytes;
    unshared += p.unshared_bytes;
  }
  CHECK(in_place > 100);  // the graphs do exercise it
  CHECK(shared < unshared * 3 / 4);
}

TEST_CASE("random graphs compute the same with and without shared memory") {
  for (unsigned seed = 1000; seed < 1100; ++seed) {
    INFO("seed " << seed);
    Random r(seed);
    Graph g;
    const std::vector<Value> outputs = random_graph(g, r);
    CHECK(run(g, outputs, true) == run(g, outputs, false));
  }
}
