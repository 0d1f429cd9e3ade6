// What fusions that are not done could take away at most, counted on the graph of a whole training step at the paper's
// preset, 256x256, batch 16, as it lies in CUDA's memory in bf16. The figures of docs/fusion.md.
#include <fmt/core.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "graph/cost.h"
#include "graph/ops/batch_norm.h"
#include "graph/ops/conv.h"
#include "graph/ops/tail.h"
#include "nets/step_graph.h"

using namespace ipa;

namespace {

const Device gpu{Device::Kind::cuda};

// A step's live nodes, rewritten or not; values have the same ids in both.
struct Step {
  Gan gan{gpu};
  StepGraph step;
  std::vector<std::vector<const Graph::Node*>> readers;  // by value id
  double bytes = 0;

  explicit Step(const Rewrites& rewrites) : step(gan, options()) {
    step.rewrite(gpu, rewrites);
    readers.resize(graph().infos().size());
    for (const Graph::Node& node : graph().nodes()) {
      for (const Value& v : node.inputs)
        if (v) readers[static_cast<std::size_t>(v.id)].push_back(&node);
      bytes += cost_on(gpu, graph(), node).bytes;
    }
  }
  static StepOptions options() {
    StepOptions o;
    o.batch = 16;
    o.compute = DType::bf16;
    return o;
  }
  const Graph& graph() const { return step.graph; }
  const std::vector<const Graph::Node*>& readers_of(Value v) const { return readers[static_cast<std::size_t>(v.id)]; }
  const Graph::Node& maker_of(Value v) const { return graph().nodes()[static_cast<std::size_t>(graph().info(v).node)]; }
  double bytes_of(Value v) const { return static_cast<double>(bytes_on(gpu, graph().info(v).spec)); }
};

bool ends_with(const std::string& s, const std::string& end) {
  return s.size() >= end.size() && s.compare(s.size() - end.size(), end.size(), end) == 0;
}

std::string network_of(const std::string& scope) {
  for (std::size_t at = 0, end = 0; end != std::string::npos; at = end + 1) {
    end = scope.find('.', at);
    const std::string part = scope.substr(at, end - at);
    for (const char* network : {"generator", "disc_global", "disc_patch"})
      if (part == network) return network;
  }
  return "losses";
}

// Whether `node` is a convolution that reads v as its x, so that it could normalise it on the way in.
bool takes_as_x(const Graph& graph, const Graph::Node& node, Value v) {
  const auto conv = describe_conv(graph, node);
  return conv && conv->pass != ConvPass::dgrad && node.inputs[0] == v && node.inputs[1] != v;
}

}  // namespace

TEST_CASE("what normalising in the next convolution's kernel could save") {
  const Step plain{Rewrites{}}, rewritten{Rewrites::all()};
  struct Row {
    int tensors = 0, places = 0;
    double saved = 0, lost = 0,
           net = 0;  // bytes: of passes that are gone; of sums that have to be taken by a pass again
  };
  std::map<std::string, Row> rows;
  for (const Graph::Node& node : plain.graph().nodes()) {
    const std::string name = node.op->name();
    const bool norm = batch_norm_halves(*node.op, plain.graph().lists().specs(node.inputs)).has_value(),
               tail = !tail_summed_inputs(*node.op).empty(), again = ends_with(name, " recomputed");
    if (!norm && !tail && !again) continue;
    const Value y = node.outputs[0];
    Row& row = rows[network_of(node.scope) + ", " + name];
    ++row.tensors;
    const auto& readers = plain.readers_of(y);
    if (readers.empty() || !std::all_of(readers.begin(), readers.end(), [&](const Graph::Node* reader) {
          return takes_as_x(plain.graph(), *reader, y);
        }))
      continue;
    ++row.places;
    if (again && name != "batch_norm recomputed") continue;  // a tail's ReLU would be made again: as many bytes
    const bool pooled = tail && node.outputs.size() == 3;    // then the map reads on, for the maxima
    const double saved = (pooled ? 1 : 2) * plain.bytes_of(y);
    double lost = 0;
    for (const Graph::Node* reader : readers)
      if (describe_conv(rewritten.graph(), rewritten.maker_of(reader->outputs[0]))->statistics)
        lost += plain.bytes_of(reader->outputs[0]);
    row.saved += saved;
    row.lost += lost;
    row.net += std::max(0.0, saved - lost);
  }
  std::string table =
      fmt::format("{:<42} {:>4} {:>6} {:>6} {:>6} {:>6}\n", "output of", "all", "places", "GB", "lost", "net");
  auto line = [&](const std::string& name, const Row& r) {
    table += fmt::format("{:<42} {:>4} {:>6} {:>6.3f} {:>6.3f} {:>6.3f}\n", name, r.tensors, r.places, r.saved * 1e-9,
                         r.lost * 1e-9, r.net * 1e-9);
  };
  Row all;
  double forward = 0;
  for (const auto& [name, r] : rows) {
    line(name, r);
    all = {all.tensors + r.tensors, all.places + r.places, all.saved + r.saved, all.lost + r.lost, all.net + r.net};
    if (!ends_with(name, " recomputed")) forward += r.net;
  }
  line("all", all);
  WARN(table << fmt::format("forward alone, net: {:.3f} GB of {:.1f} with every rewrite", forward * 1e-9,
                            rewritten.bytes * 1e-9));
  // The tails read the normalised outputs inside of blocks too; the discriminators' are read by one convolution, but
  // where a loss compares them.
  CHECK(rows["generator, batch_norm"].tensors == 54);
  CHECK(rows["generator, batch_norm"].places == 0);
  CHECK(rows["generator, batch_norm recomputed"].places == 0);
  CHECK(rows["disc_global, batch_norm"].places == rows["disc_global, batch_norm"].tensors);
  CHECK(rows["disc_patch, batch_norm"].places == 6);
  CHECK(rows["generator, respath_tail"].net == 0);
  CHECK(forward > 0);
  CHECK(forward < 0.01 * rewritten.bytes);
}

TEST_CASE("what 1x1 and 3x3 convolutions of one input as one could save, and cost") {
  const Step rewritten{Rewrites::all()};
  const Graph& graph = rewritten.graph();
  constexpr double bytes_per_s = 4.3e12, flops_per_s = 790e12;  // an H200's (kernels/conv.h)
  struct Row {
    int places = 0;
    double saved = 0, added = 0, gain = 0,
           gain_at_half = 0;  // bytes, FLOPs, seconds: at those rates, at half the FLOPs
  };
  std::map<std::pair<std::string, std::int64_t>, Row> rows;  // by pass and height
  auto count = [&](const char* pass, std::int64_t height, const Graph::Node& small, const Graph::Node& large,
                   double saved) {
    const Cost one = cost_on(gpu, graph, small), nine = cost_on(gpu, graph, large);
    const Cost merged{one.bytes + nine.bytes - saved, 9 * one.flops + nine.flops};
    auto gain = [&](double rate) {
      auto seconds = [&](const Cost& c) { return std::max(c.bytes / bytes_per_s, c.flops / rate); };
      return seconds(one) + seconds(nine) - seconds(merged);
    };
    Row& row = rows[{pass, height}];
    ++row.places;
    row.saved += saved;
    row.added += 8 * one.flops;
    row.gain += gain(flops_per_s);
    row.gain_at_half += gain(flops_per_s / 2);
  };
  auto is = [&](const Graph::Node& node, ConvPass pass, std::int64_t kernel) {
    const auto conv = describe_conv(graph, node);
    return conv && conv->pass == pass && conv->geometry.w.h == kernel && conv->geometry.stride == 1;
  };
  auto data_gradient = [&](Value w) -> const Graph::Node* {
    for (const Graph::Node* reader : rewritten.readers_of(w))
      if (describe_conv(graph, *reader)->pass == ConvPass::dgrad) return reader;
    return nullptr;
  };
  for (const Graph::Node& small : graph.nodes())
    for (const auto pass : {ConvPass::forward, ConvPass::wgrad}) {
      if (!is(small, pass, 1)) continue;
      const Value x = small.inputs[0];
      for (const Graph::Node* large : rewritten.readers_of(x)) {
        if (large->inputs[0] != x || !is(*large, pass, 3)) continue;
        const std::int64_t height = graph.info(x).spec.shape.h;
        count(pass == ConvPass::forward ? "forward" : "wgrad", height, small, *large, rewritten.bytes_of(x));
        if (pass != ConvPass::forward) continue;
        const Graph::Node *dsmall = data_gradient(small.inputs[1]), *dlarge = data_gradient(large->inputs[1]);
        if (dsmall && dlarge) count("dgrad", height, *dsmall, *dlarge, 2 * rewritten.bytes_of(x));
      }
    }
  std::string table = fmt::format("{:<8} {:>6} {:>6} {:>8} {:>11} {:>9} {:>12}\n", "pass", "height", "places",
                                  "GB saved", "TFLOP added", "ms gained", "at half rate");
  Row all, full_size;
  auto join = [](const Row& a, const Row& b) {
    return Row{a.places + b.places, a.saved + b.saved, a.added + b.added, a.gain + b.gain,
               a.gain_at_half + b.gain_at_half};
  };
  auto line = [&](const std::string& pass, const std::string& height, const Row& r) {
    table += fmt::format("{:<8} {:>6} {:>6} {:>8.3f} {:>11.3f} {:>9.3f} {:>12.3f}\n", pass, height, r.places,
                         r.saved * 1e-9, r.added * 1e-12, r.gain * 1e3, r.gain_at_half * 1e3);
  };
  for (const auto& [at, row] : rows) {
    line(at.first, std::to_string(at.second), row);
    all = join(all, row);
    if (at.second == 256)
      full_size = join(full_size, row);
    else
      CHECK(row.gain < 0);
  }
  line("all", "", all);
  WARN(table);
  CHECK(rows[{"forward", 256}].places == 12);
  CHECK(all.gain < 0);
  CHECK(full_size.gain > 0);
  CHECK(full_size.gain_at_half < 0);
}
