// Concatenations and slices in place: where, where not, and that every bit stays.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "graph/cost.h"
#include "nets/trainer.h"
#include "tests/support/joined_case.h"

using namespace ipa;
using namespace ipa::test;

namespace {

const Device gpu{Device::Kind::cuda};
constexpr Rewrites wanted{.concat_in_place = true};

long count(const Graph& graph, const std::string& name) {
  return std::count_if(graph.nodes().begin(), graph.nodes().end(),
                       [&](const Graph::Node& node) { return node.op->name() == name; });
}

int places(Graph& graph, const std::vector<Value>& outputs, Device device = {}) {
  Rewritten rewritten = rewrite(graph, outputs, device, wanted);
  graph.replace(std::move(rewritten.lists));
  return rewritten.changes.at(0).places;
}

// Two tensors with biases, joined.
struct Two {
  Graph g;
  std::int64_t first, second;
  Value x, y;

  explicit Two(std::int64_t c1 = 3, std::int64_t c2 = 2)
      : first(c1), second(c2), x(biased("x", c1)), y(biased("y", c2)) {}
  Value biased(const std::string& name, std::int64_t c) {
    return add_bias(g.input(name, {{1, 4, 4, c}}), g.state(name + " bias", {vector_shape(c)}));
  }
};

}  // namespace

TEST_CASE("concat in place: parts that are written where they belong are not copied, and cost nothing") {
  Two t;
  const Value both = concat({t.x, t.y}), z = activation(both, relu_activation);
  const std::size_t nodes = t.g.nodes().size();
  REQUIRE(places(t.g, {z}) == 1);
  CHECK(t.g.nodes().size() == nodes);
  CHECK(count(t.g, "concat in place") == 1);
  CHECK(cost_on({}, t.g, t.g.nodes()[static_cast<std::size_t>(t.g.info(both).node)]).bytes == 0);

  const Plan p = plan(t.g, std::vector{z});
  CHECK(p.steps.size() == nodes - 1);
  const auto at = [](Value v) { return static_cast<std::size_t>(v.id); };
  CHECK((p.storage_of[at(t.x)] == p.storage_of[at(both)] && p.storage_of[at(t.y)] == p.storage_of[at(both)]));
  CHECK((p.views[at(t.x)].whole == both.id && p.views[at(t.x)].first == 0));
  CHECK((p.views[at(t.y)].whole == both.id && p.views[at(t.y)].first == t.first));
  CHECK(p.storages[static_cast<std::size_t>(p.storage_of[at(both)])].first == 0);  // from the first part on
}

TEST_CASE("concat in place: what must stay by itself is copied") {
  Two t;
  SECTION("a part that is an output") {
    const Value z = activation(concat({t.x, t.y}), relu_activation);
    CHECK(places(t.g, {z, t.y}) == 0);
  }
  SECTION("a whole that is an output") { CHECK(places(t.g, {concat({t.x, t.y})}) == 0); }
  SECTION("a part that is stored") {
    const Value z = activation(concat({t.x, t.y}), relu_activation), to = t.g.state("to", t.y.spec());
    t.g.store(t.y, to);
    CHECK(places(t.g, {z}) == 0);
  }
  SECTION("a part that someone reads who asks for packed pixels") {
    const Value z = activation(concat({t.x, t.y}), relu_activation), other = activation(t.y, relu_activation);
    CHECK(places(t.g, {z, other}) == 0);
  }
  SECTION("but not one that is summed besides") {
    const Value z = activation(concat({t.x, t.y}), relu_activation), other = sum_pixels(t.y);
    CHECK(places(t.g, {z, other}) == 1);
  }
  SECTION("the same part twice") {
    const Value z = activation(concat({t.x, t.y, t.x}), relu_activation);
    CHECK(places(t.g, {z}) == 0);
  }
  SECTION("in two wholes") {
    const Value a = activation(concat({t.x, t.y}), relu_activation),
                b = activation(concat({t.y, t.x}), relu_activation);
    CHECK(places(t.g, {a, b}) == 0);
  }
  SECTION("of a maker that writes packed pixels only, an input, or a single part") {
    const Value cut = t.g.input("cut", {{1, 4, 4, 2}});
    const Value a = activation(concat({activation(t.x, relu_activation), t.y}), relu_activation),
                b = activation(concat({t.biased("z", 2), cut}), relu_activation),
                c = activation(concat({t.biased("u", 2)}), relu_activation);
    CHECK(places(t.g, {a, b, c}) == 0);
  }
}

TEST_CASE("concat in place: on CUDA parts begin and end at groups of eight channels, but for the last one's end") {
  const auto [first, second, expected] = GENERATE(std::tuple{8, 16, 1}, std::tuple{8, 3, 1}, std::tuple{3, 8, 0});
  Two t(first, second);
  const Value z = activation(concat({t.x, t.y}), relu_activation);
  CHECK(places(t.g, {z}, gpu) == expected);
}

TEST_CASE("concat in place: a slice is read where it lies if all its readers can") {
  Graph g;
  const Value x = g.input("x", {{1, 4, 4, 20}});
  const Value a = slice_channels(x, 0, 8), b = slice_channels(x, 8, 12), odd = slice_channels(x, 3, 8);
  SECTION("on the CPU any") {
    CHECK(places(g, {sum_pixels(a), sum_pixels(b), sum_pixels(odd)}) == 3);
    CHECK(count(g, "slice_channels in place") == 3);
  }
  SECTION("on CUDA what begins at a group of eight and ends at one or with the whole") {
    CHECK(places(g, {sum_pixels(a), sum_pixels(b), sum_pixels(odd)}, gpu) == 2);
  }
  SECTION("not one that is an output, of which more is wanted, or that is all") {
    const Value all = slice_channels(x, 0, 20), cut = slice_channels(a, 0, 4);
    CHECK(places(g, {b, sum_pixels(a), sum_pixels(odd), activation(odd, relu_activation), sum_pixels(all),
                     sum_pixels(cut)}) == 1);  // the last, of a copy
  }
}

TEST_CASE("concat in place: a decoder's join has the same bits as with copies", "[join]") {
  const std::vector<Join> joins{{{2, 6, 10, 0}, 32, 32},
                                {{1, 12, 8, 0}, 3, 17},
                                {{1, 12, 8, 0}, 17, 3, false},
                                {{1, 70, 72, 0}, 64, 8, false},
                                {{1, 8, 10, 0}, 40, 520},
                                {{2, 6, 10, 0}, 32, 32, true, true},
                                {{1, 70, 72, 0}, 1, 5, false, true}};
  for (const Join& j : joins) {
    INFO(to_string(j.whole) << ", " << j.up << " and " << j.skip);
    const OpCase c = joined_case(j);
    const std::vector<Array> inputs = case_inputs(c, 3);
    const CaseResult copied = run_case(c, inputs, !j.folded, 3),
                     in_place = run_case(c, inputs, !j.folded, 3, {.rewrites = wanted});
    CHECK(in_place.rewritten == (j.folded ? 1 : 3));  // the concatenation, and both slices of its gradient
    CHECK(in_place.guards_intact);
    CHECK(same_bits(in_place, copied));
    CHECK(same_bits(in_place, run_case(c, inputs, !j.folded, 3, {.share = false, .rewrites = wanted})));
  }
}

TEST_CASE("concat in place: the generator in inference gives the same bits") {
  const bool residual = GENERATE(false, true);
  const NetOptions options{.width = 8, .residual = residual};
  const Shape image{2, 48, 32, 1};
  CHECK(inpainted({}, DType::f32, options, image, wanted) == inpainted({}, DType::f32, options, image, {}));
}

TEST_CASE("concat in place: at the paper's preset all joins of the U-Nets, and no more memory") {
  const Device device = GENERATE(Device{}, gpu);
  const bool inference = GENERATE(false, true);
  StepOptions options;
  options.batch = device.is_cpu() ? 4 : 16;
  options.compute = compute_type_on(device);
  const Rewrites copies{.dgrad_addition = device.is_cpu()},
      views{.dgrad_addition = device.is_cpu(), .concat_in_place = true};
  auto arena = [&](const Rewrites& which) {
    Gan gan(device);
    const PlanOptions where{.device = device};
    if (inference) {
      Graph graph;
      Layers layers(graph, gan.generator, Mode::inference, generator_batch_norm(options.net), Init::glorot_uniform);
      const InpainterEnds ends = describe_inpainter(graph, layers, device, options.net, options.batch, options.size,
                                                    options.size, options.compute, which);
      CHECK(count(graph, "concat in place") == (which.concat_in_place ? 8 : 0));
      return plan(graph, std::vector{ends.output}, where).arena_bytes;
    }
    StepGraph step(gan, options);
    step.rewrite(device, which);
    const long slices = which.concat_in_place ? device.is_cpu() ? 16 : 8 : 0;  // cuDNN reads the other 8 packed
    CHECK(count(step.graph, "concat in place") == (which.concat_in_place ? 8 : 0));
    CHECK(count(step.graph, "slice_channels in place") == slices);
    return plan(step.graph, step.pictures(), where).arena_bytes;
  };
  const std::size_t before = arena(copies), after = arena(views);
  WARN((device.is_cpu() ? "CPU" : "CUDA")
       << (inference ? ", inference" : ", step") << ", batch " << options.batch << ": "
       << static_cast<double>(before) / (1 << 20) << " to " << static_cast<double>(after) / (1 << 20) << " MiB");
  CHECK(after <= before + before / 100);
}
