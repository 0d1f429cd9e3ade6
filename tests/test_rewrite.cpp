// Rewrites of graphs, one by one: what each changes on a graph and on the whole training step, and that results stay.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "graph/ops.h"
#include "graph/program.h"
#include "kernels/conv.h"
#include "kernels/pointwise.h"
#include "nets/trainer.h"
#include "tests/support/dot.h"

using namespace ipa;
using namespace ipa::test;
using Catch::Contains;

namespace {

const Device gpu{Device::Kind::cuda};

long count(const Graph& graph, const std::string& name) {
  return std::count_if(graph.nodes().begin(), graph.nodes().end(),
                       [&](const Graph::Node& node) { return node.op->name() == name; });
}

void apply(Graph& graph, Values outputs, const Rewrites& which, Device device = {}) {
  graph.replace(rewrite(graph, outputs, device, which).lists);
}

void fill(const Tensor& t, int seed, float scale = 1) {
  for (std::int64_t i = 0; i < t.elements(); ++i)
    t.f32()[i] = scale * std::sin(static_cast<float>(i % 7919) * 0.37f + static_cast<float>(i % 31 + seed));
}

std::vector<float> values(const Tensor& t) { return {t.f32(), t.f32() + t.elements()}; }

// Everything two steps of the whole GAN leave behind.
struct Steps {
  Gan gan;
  std::vector<std::vector<float>> memory;
  std::vector<double> losses;
  std::size_t steps;

  explicit Steps(const Rewrites& rewrites) {
    StepOptions options;
    options.net = {.width = 8, .disc_width = 8};
    options.loss.style_layers = 3;
    options.batch = 2;
    options.size = 96;
    options.rewrites = rewrites;
    Trainer trainer(gan, options);
    for (Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch}) p->initialise(3);
    fill(gan.vgg19.flat_values(), 5, 0.05f);
    fill(trainer.corrupted(), 1);
    fill(trainer.target(), 2);
    for (int k = 0; k < 2; ++k) {
      const StepMetrics m = trainer.step(0);
      losses.insert(losses.end(), {m.d_global, m.d_patch, m.adversarial, m.perceptual, m.style, m.total});
    }
    for (const Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch})
      for (const Tensor& t : {p->flat_values(), p->flat_gradients(), p->flat_m(), p->flat_statistics()})
        memory.push_back(values(t));
    steps = trainer.program().plan().steps.size();
  }
};

}  // namespace

TEST_CASE("what the rewrites change in a whole training step at the paper's preset, batch 16") {
  const Device device = GENERATE(Device{}, gpu);
  StepOptions options;
  options.batch = 16;
  options.compute = device.is_cpu() ? DType::f32 : DType::bf16;
  Gan gan(device);
  StepGraph step(gan, options);
  const auto changes = step.rewrite(device, Rewrites::all());
  WARN((device.is_cpu() ? "CPU, float32\n" : "CUDA, bf16\n") + to_string(changes));
  for (const Rewritten::Change& c : changes) {
    INFO(c.name);
    CHECK(c.places > 0);
    CHECK(c.bytes_after < c.bytes_before);
    if (c.name == "conv statistics") CHECK(c.places == 81 + 2 * 20 + 18);  // batch norms, ResPath units, blocks
  }
}

TEST_CASE("without rewrites a graph keeps its live nodes and all its values") {
  Graph g;
  const Value x = g.input("x", {{1, 4, 4, 3}}), y = add(x, x), dead = activation(x, relu_activation);
  const Value z = add(y, y);
  const Rewritten r = rewrite(g, std::vector<Value>{z}, {}, {});
  CHECK(r.changes.empty());
  CHECK(r.lists.nodes.size() == 2);
  CHECK(g.nodes().size() == 3);  // the graph itself is as it was
  g.replace(r.lists);
  CHECK(g.nodes().size() == 2);
  CHECK(g.info(dead).node == -1);
  CHECK(z.shape() == x.shape());
  CHECK_THAT(to_string(g), Contains("= add(%1, %1)"));
}

TEST_CASE("kept outputs: what is computed again for the backward pass is read where it was made") {
  Graph g;
  const Value x = g.input("x", {{1, 4, 4, 3}});
  const Value y = activation(x, relu_activation), again = activation(x, relu_activation);
  const Value wanted = activation(x, relu_activation), z = add(add(y, again), wanted);
  g.repeats(again, y);
  g.repeats(wanted, y);
  const std::vector<Value> outputs{wanted, z};
  const Rewritten r = rewrite(g, outputs, {}, {.kept_outputs = true});
  REQUIRE(r.changes.size() == 1);
  CHECK(r.changes[0].places == 1);  // an output is made where the caller expects it
  g.replace(r.lists);
  CHECK(g.info(again).node == -1);
  CHECK(g.info(wanted).node >= 0);
  CHECK_THAT(to_string(g), Contains("= add(%1, %1)"));
  CHECK_THROWS_WITH(g.repeats(g.input("wider", {{1, 4, 4, 5}}), y), Contains("another shape"));
}

TEST_CASE("kept outputs: where memory has room for them") {
  StepOptions options;
  options.net = {.width = 8, .disc_width = 8};
  options.loss.style = 0;
  options.batch = 2;
  options.size = 96;
  constexpr std::size_t much = std::size_t{1} << 40, little = std::size_t{1} << 20;
  Gan gan(gpu), on_cpu;
  CHECK(rewrites_that_fit(much, gan, options).kept_outputs);
  CHECK_FALSE(rewrites_that_fit(little, gan, options).kept_outputs);
  CHECK(rewrites_that_fit(little, gan, options).concat_in_place);  // takes none
  CHECK_FALSE(rewrites_that_fit(much, on_cpu, options).kept_outputs);
  options.rewrites = Rewrites::all();
  CHECK(rewrites_that_fit(little, gan, options).kept_outputs);  // asked for
}

TEST_CASE("a list in which something is read before it is made does not become a graph") {
  Graph g;
  const Value x = g.input("x", {{1, 4, 4, 3}}), y = add(x, x);
  add(y, y);
  Graph::Lists lists = g.lists();
  std::swap(lists.nodes[0], lists.nodes[1]);
  CHECK_THROWS_WITH(g.replace(lists), Contains("reads what is not made yet"));
}

namespace {

// x read by two convolutions, of which the 1x1's data gradient comes first.
struct Fork {
  Graph g;
  Value x = g.input("x", {{2, 32, 32, 12}}), u = g.state("u", {{8, 3, 3, 12}}), w = g.state("w", {{10, 1, 1, 12}});
  Value loss = add(sum(conv(x, u, {}, {.pad = 1})), sum(conv(x, w, {}, {})));
  Value dx = grad(loss, std::vector<Value>{x})[0];

  std::vector<float> run() {
    Program::Bindings bindings;
    std::vector<Buffer> memory;
    for (const Value& v : {u, w}) {
      memory.emplace_back("state", v.spec().bytes());
      fill(bindings[v.id] = memory.back().tensor(v.spec()), v.id);
    }
    Program program(g, plan(g, std::vector<Value>{dx}), bindings);
    fill(program.tensor(x), 3);
    Stream stream;
    program.run(stream);
    return values(program.tensor(dx));
  }
};

}  // namespace

TEST_CASE("dgrad addition: a sum of two data gradients becomes the second of them") {
  Fork plain, fused;
  apply(fused.g, std::vector<Value>{fused.dx}, {.dgrad_addition = true});
  CHECK(count(plain.g, "add") == 2);  // of the losses, and of the gradients
  CHECK(count(fused.g, "add") == 0);  // the losses are not asked for
  CHECK(count(fused.g, "conv dgrad s1 p0") + count(fused.g, "conv dgrad s1 p1") == 1);
  CHECK(count(fused.g, "conv dgrad s1 p0 + add") + count(fused.g, "conv dgrad s1 p1 + add") == 1);
  CHECK(fused.run() == plain.run());
}

TEST_CASE("dgrad addition: a data gradient that someone else reads, or whose weights change before the sum, stays") {
  SECTION("read twice") {
    Graph g;
    const Value x = g.input("x", {{2, 8, 8, 12}}), dy = g.input("dy", {{2, 8, 8, 10}});
    const Value w = g.state("w", {{10, 1, 1, 12}});
    const Value d = conv_dgrad(dy, w, x.shape(), {}), s = add(x, d), t = add(s, d);
    apply(g, std::vector<Value>{t}, {.dgrad_addition = true});
    CHECK(count(g, "add") == 2);
  }
  SECTION("an output") {
    Graph g;
    const Value x = g.input("x", {{2, 8, 8, 12}}), dy = g.input("dy", {{2, 8, 8, 10}});
    const Value w = g.state("w", {{10, 1, 1, 12}});
    const Value d = conv_dgrad(dy, w, x.shape(), {}), s = add(x, d);
    apply(g, std::vector<Value>{s, d}, {.dgrad_addition = true});
    CHECK(count(g, "add") == 1);
  }
  SECTION("a state that a node in between changes, which may lie where the weights do") {
    const bool changes = GENERATE(false, true);
    Graph g;
    const Value x = g.input("x", {{2, 8, 8, 12}}), dy = g.input("dy", {{2, 8, 8, 10}});
    const Value w = g.state("w", {{10, 1, 1, 12}});
    auto vector = [&](const char* name) { return g.state(name, {vector_shape(12)}); };
    const BatchNorm norm{.beta = vector("b"), .running_mean = vector("m"), .running_var = vector("v")};
    const Value d = conv_dgrad(dy, w, x.shape(), {});
    const Value other = changes ? batch_norm(x, norm) : activation(x, relu_activation);
    const Value s = add(d, other);
    apply(g, std::vector<Value>{s}, {.dgrad_addition = true});
    CHECK(count(g, "add") == (changes ? 1 : 0));
    CHECK(count(g, "conv dgrad s1 p0 + add") == (changes ? 0 : 1));
  }
}

TEST_CASE("a convolution's data gradient with an addition has the bits of both one after the other") {
  struct Problem {
    Shape x;
    std::int64_t out, kernel;
    int stride, pad;
  };
  for (const Problem& p : {Problem{{2, 32, 32, 12}, 17, 3, 1, 1},
                           {{1, 7, 9, 51}, 32, 1, 1, 0},
                           {{2, 16, 16, 35}, 70, 2, 2, 0},
                           {{1, 30, 34, 8}, 9, 3, 1, 1}}) {
    const std::int64_t h = conv_extent(p.x.h, p.kernel, p.stride, p.pad, 1),
                       w = conv_extent(p.x.w, p.kernel, p.stride, p.pad, 1);
    const ConvGeometry g{p.x, {p.out, p.kernel, p.kernel, p.x.c}, {p.x.n, h, w, p.out}, p.stride, p.pad, 1};
    INFO(to_string(g.x) << " " << to_string(g.w));
    REQUIRE(dgrad_takes_addition({}, g));
    const Buffer dx("dx", TensorSpec{g.x}.bytes()), dy("dy", TensorSpec{g.y}.bytes()), k("w", TensorSpec{g.w}.bytes()),
        added("added", TensorSpec{g.x}.bytes());
    const auto at = [](const Buffer& b, const Shape& s) { return b.tensor({s}); };
    fill(at(dy, g.y), 1);
    fill(at(k, g.w), 2);
    fill(at(added, g.x), 3);
    Stream stream;
    const auto plain = prepare_conv_dgrad({}, g, DType::f32);
    const auto fused = prepare_conv_dgrad_add({}, g, DType::f32);
    const Buffer space("workspace", std::max(plain.workspace_bytes, fused.workspace_bytes));
    plain.run(stream, at(dx, g.x), at(dy, g.y), at(k, g.w), space.data());
    add_tensors(stream, at(dx, g.x), at(dx, g.x), at(added, g.x));
    const std::vector<float> expected = values(at(dx, g.x));
    fill(at(dx, g.x), 9);
    fused.run(stream, at(dx, g.x), at(dy, g.y), at(k, g.w), at(added, g.x), space.data());
    CHECK(values(at(dx, g.x)) == expected);
    fused.run(stream, at(added, g.x), at(dy, g.y), at(k, g.w), at(added, g.x), space.data());
    CHECK(values(at(added, g.x)) == expected);
  }
}

TEST_CASE("kept outputs, dgrad addition, concat in place: two whole training steps leave the same bits") {
  static const Steps plain{Rewrites{}};
  const Steps fused{GENERATE(Rewrites{.kept_outputs = true}, Rewrites{.dgrad_addition = true},
                             Rewrites{.concat_in_place = true},
                             Rewrites{.kept_outputs = true, .dgrad_addition = true, .concat_in_place = true})};
  CHECK(fused.steps < plain.steps);
  CHECK(fused.losses == plain.losses);
  CHECK(fused.memory == plain.memory);
}
