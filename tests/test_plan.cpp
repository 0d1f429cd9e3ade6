// The memory plan of random graphs, checked by brute force: every step is replayed on a model of the arena that knows
// which value each byte range holds.
#include <catch2/catch.hpp>
#include <random>

#include "graph/ops.h"
#include "graph/program.h"
#include "graph/rewrite.h"

using namespace ipa;

namespace {

using Random = std::mt19937;
int draw(Random& r, int low, int high) { return std::uniform_int_distribution<int>(low, high)(r); }

float& element(const Tensor& t, std::int64_t k) { return t.f32()[k / t.shape.c * t.pitch + k % t.shape.c]; }

// Any number of inputs and outputs; element k of every output depends on element k of every input. Scribbles over its
// workspace. May work in place where `in_place` says so, and on any pitch where `pitched` does.
class Mix final : public Op {
 public:
  Mix(std::vector<TensorSpec> out, unsigned in_place, unsigned pitched, std::size_t workspace)
      : out_(std::move(out)), in_place_(in_place), pitched_(pitched), workspace_(workspace) {}
  std::string name() const override { return "mix"; }
  std::vector<TensorSpec> infer(Specs) const override { return out_; }
  Launch prepare(Device, Specs, Specs) const override {
    return {[bytes = workspace_](const Call& c) {
              std::int64_t most = 0;
              for (const Tensor& t : c.out) most = std::max(most, t.elements());
              for (std::int64_t k = 0; k < most; ++k) {
                float sum = static_cast<float>(k % 7);
                for (std::size_t i = 0; i < c.in.size(); ++i)
                  if (k < c.in[i].elements()) sum += element(c.in[i], k) * (0.25f + 0.1f * static_cast<float>(i));
                for (std::size_t o = 0; o < c.out.size(); ++o)
                  if (k < c.out[o].elements()) element(c.out[o], k) = sum - static_cast<float>(o);
              }
              std::fill_n(static_cast<unsigned char*>(c.workspace), bytes, static_cast<unsigned char>(0xFF));
            },
            workspace_};
  }
  bool in_place(int i, int o) const override { return in_place_ >> ((i * 3 + o) % 16) & 1; }
  bool pitched_input(int i, Device, Specs) const override { return pitched_ >> i & 1; }
  bool pitched_output(int o) const override { return pitched_ >> (4 + o) & 1; }

 private:
  std::vector<TensorSpec> out_;
  unsigned in_place_, pitched_;
  std::size_t workspace_;
};

// Some of the values as wide as `first`, one behind another, or a part of its channels.
Value join_or_cut(Random& r, const std::vector<Value>& values, Value first) {
  if (const std::int64_t c = first.shape().c; c > 1 && draw(r, 0, 1)) {
    const int begin = draw(r, 0, static_cast<int>(c) - 1);
    return slice_channels(first, begin, draw(r, 1, static_cast<int>(c) - begin));
  }
  std::vector<Value> parts{first};
  for (std::size_t i = values.size(); i-- > 0 && parts.size() < 3;)
    if (values[i].shape().w == first.shape().w && draw(r, 0, 1)) parts.push_back(values[i]);
  return concat(parts);
}

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
    const unsigned in_place = static_cast<unsigned>(draw(r, 0, 65535)),
                   pitched = static_cast<unsigned>(draw(r, 0, 255));
    for (const Value& v : g.apply(std::make_shared<const Mix>(out, in_place, pitched | pitched >> 1, workspace), in))
      values.push_back(v);
    if (draw(r, 0, 2) == 0) values.push_back(join_or_cut(r, values, values.back()));
  }
  std::vector<Value> outputs;
  for (int i = draw(r, 1, 4); i > 0; --i)
    outputs.push_back(values[static_cast<std::size_t>(draw(r, 0, static_cast<int>(values.size()) - 1))]);
  return outputs;
}

// Bytes, of which all or, of a storage's pixels, some channels.
struct Range {
  std::size_t first, last;
  int storage = -1;
  std::int64_t first_channel = 0, last_channel = 0;

  bool overlaps(const Range& o) const {
    if (storage >= 0 && storage == o.storage) return first_channel < o.last_channel && o.first_channel < last_channel;
    return first < o.last && o.first < last;
  }
};

// Replays a plan; `holds[id]` is whether value id's memory still holds it.
class Replay {
 public:
  Replay(const Graph& g, const Plan& p) : graph_(g), plan_(p), holds_(g.infos().size(), false) {
    for (const Value& v : p.inputs) write(v, range(v));
  }

  void run(const std::vector<Value>& outputs) {
    const std::vector<bool> live = live_nodes(graph_, outputs);
    std::size_t next = 0;
    for (std::size_t n = 0; n < live.size(); ++n) {
      const Graph::Node& node = graph_.nodes()[n];
      if (!live[n]) continue;
      if (!node.op->first_channel(0)) {
        REQUIRE(plan_.steps[next].node == static_cast<int>(n));
        step(plan_.steps[next++]);
        continue;
      }
      for (const Value& v : node.inputs) {
        CHECK(holds(v));
        CHECK(range(v).overlaps(range(node.outputs[0])));
      }
      holds_[id(node.outputs[0])] = true;
      ++placed;
    }
    CHECK(next == plan_.steps.size());
  }

  bool holds(Value v) const { return holds_[id(v)]; }
  int in_place = 0, placed = 0;

 private:
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

  static std::size_t id(Value v) { return static_cast<std::size_t>(v.id); }
  Range range(int storage) const {
    const Plan::Storage& s = plan_.storages[static_cast<std::size_t>(storage)];
    return {s.offset, s.offset + s.bytes};
  }
  Range range(Value v) const {
    Range r = range(plan_.storage_of[id(v)]);
    const Plan::View& view = plan_.views[id(v)];
    r.storage = plan_.storage_of[id(v)];
    r.first_channel = view.first;
    r.last_channel = view.first + v.shape().c;
    return r;
  }
  void overwrite(const Range& r) {
    for (std::size_t v = 0; v < holds_.size(); ++v)
      if (holds_[v] && r.overlaps(range({const_cast<Graph*>(&graph_), static_cast<int>(v)}))) holds_[v] = false;
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
  const bool rewritten = GENERATE(false, true);
  int in_place = 0, placed = 0;
  std::size_t shared = 0, unshared = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    INFO("seed " << seed);
    Random r(seed);
    Graph g;
    const std::vector<Value> outputs = random_graph(g, r);
    if (rewritten) g.replace(rewrite(g, outputs, {}, {.concat_in_place = true}).lists);
    const Plan p = plan(g, outputs, {.guard_bytes = seed % 3 ? 0u : 100u});

    Replay replay(g, p);
    replay.run(outputs);
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
    placed += replay.placed;
    shared += p.arena_bytes;
    unshared += p.unshared_bytes;
  }
  CHECK(in_place > 100);  // the graphs do exercise it
  CHECK((rewritten ? placed > 100 : placed == 0));
  CHECK(shared < unshared * 3 / 4);
}

TEST_CASE("random graphs compute the same with and without shared memory, joined and cut in place or by copies") {
  for (unsigned seed = 1000; seed < 1100; ++seed) {
    INFO("seed " << seed);
    Random r(seed);
    Graph g;
    const std::vector<Value> outputs = random_graph(g, r);
    const auto expected = run(g, outputs, false);
    CHECK(run(g, outputs, true) == expected);
    g.replace(rewrite(g, outputs, {}, {.concat_in_place = true}).lists);
    CHECK(run(g, outputs, true) == expected);
    CHECK(run(g, outputs, false) == expected);
  }
}
