// Times our 3x3 convolutions against oneDNN's, NHWC and blocked (reorders included), pass by pass in one run, in
// nominal GFLOP/s: 2 N H W Ci Co 9 / time, whatever the algorithm really computes. The three take turns, so that what
// else the machine does meets all of them: each runs three times in a row, of which the first, that finds the others'
// data in the caches, is not counted. Medians and, in brackets, the best. The rule in kernels/winograd.cpp was read off
// this:
//   bench_conv                                    the shapes that weigh most, batch 4
//   bench_conv --networks [--width 32] [--size 256] [--batch 4]    all 3x3 convolutions of a training step
//   bench_conv --filter wgrad ...                 only the lines with this text
#include <fmt/core.h>
#include <omp.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <chrono>
#include <random>
#include <set>

#include "graph/ops/conv.h"
#include "kernels/winograd.h"
#include "kernels/winograd_wgrad.h"
#include "nets/step_graph.h"

using namespace ipa;

namespace {

struct Problem {
  ConvPass pass;
  ConvGeometry geometry;
};

std::string to_string(const Problem& p) {
  static constexpr std::array names{"forward", "dgrad", "wgrad"};
  const ConvGeometry& g = p.geometry;
  return fmt::format("{:<8} {:>3}->{:<3} @{}x{} n{}", names[static_cast<std::size_t>(p.pass)], g.x.c, g.y.c, g.x.h,
                     g.x.w, g.x.n);
}

std::vector<Problem> main_problems() {
  std::vector<Problem> all;
  for (const auto& [in, out, size] : std::vector<std::array<std::int64_t, 3>>{{32, 32, 256},
                                                                              {51, 32, 256},
                                                                              {8, 17, 256},
                                                                              {17, 26, 256},
                                                                              {26, 51, 256},
                                                                              {64, 64, 128},
                                                                              {128, 128, 64},
                                                                              {256, 256, 64},
                                                                              {512, 512, 32},
                                                                              {512, 512, 16}})
    for (const ConvPass pass : {ConvPass::forward, ConvPass::dgrad, ConvPass::wgrad})
      all.push_back({pass, {{4, size, size, in}, {out, 3, 3, in}, {4, size, size, out}, 1, 1, 1}});
  return all;
}

// Those of the generator and, with the style loss, of VGG-19; each once.
std::vector<Problem> network_problems(const StepOptions& options) {
  std::vector<Problem> all;
  std::set<std::string> seen;
  Gan gan;
  const StepGraph step(gan, options);
  for (const Graph::Node& node : step.graph.nodes()) {
    const auto d = describe_conv(step.graph, node);
    if (!d || !winograd::supports(d->geometry)) continue;
    if (const Problem p{d->pass, d->geometry}; seen.insert(to_string(p)).second) all.push_back(p);
  }
  return all;
}

// One way to compute a problem, with memory of its own for the workspace.
struct Candidate {
  std::function<void(Stream&, Tensor out, Tensor in, Tensor other, void* workspace)> run;
  Buffer workspace;
  std::vector<double> seconds = {};

  Candidate(PreparedConv<Tensor, Tensor, Tensor, Tensor> p)
      : run([f = p.run](Stream& s, Tensor y, Tensor x, Tensor w, void* memory) { f(s, y, x, w, {}, memory); }),
        workspace("workspace", p.workspace_bytes) {}
  Candidate(PreparedConv<Tensor, Tensor, Tensor> p) : run(p.run), workspace("workspace", p.workspace_bytes) {}

  double gflop_s(double flops, double quantile) {
    const auto at = seconds.begin() + static_cast<std::ptrdiff_t>(quantile * static_cast<double>(seconds.size()));
    std::nth_element(seconds.begin(), at, seconds.end());
    return flops * 1e-9 / *at;
  }
};

std::vector<Candidate> candidates(const Problem& p) {
  const ConvGeometry& g = p.geometry;
  std::vector<Candidate> all;
  if (p.pass == ConvPass::forward) {
    all.emplace_back(winograd::prepare_conv(g, false, {}));
    for (const auto layout : {onednn::Layout::nhwc, onednn::Layout::blocked})
      all.emplace_back(onednn::prepare_conv(g, false, {}, layout));
  } else {
    const bool dgrad = p.pass == ConvPass::dgrad;
    all.emplace_back(dgrad ? winograd::prepare_conv_dgrad(g) : winograd::prepare_conv_wgrad(g));
    for (const auto layout : {onednn::Layout::nhwc, onednn::Layout::blocked})
      all.emplace_back(dgrad ? onednn::prepare_conv_dgrad(g, layout) : onednn::prepare_conv_wgrad(g, layout));
  }
  return all;
}

Buffer random_tensor(const Shape& shape) {
  Buffer buffer("operand", TensorSpec{shape}.bytes());
  std::minstd_rand random(1);
  std::uniform_real_distribution<float> uniform(-1, 1);
  float* const values = buffer.tensor({shape}).f32();
  for (std::int64_t i = 0; i < shape.elements(); ++i) values[i] = uniform(random);
  return buffer;
}

void time_problem(const Problem& p, double least_seconds) {
  const ConvGeometry& g = p.geometry;
  const auto [out_shape, in_shape, other_shape] = p.pass == ConvPass::forward ? std::array{g.y, g.x, g.w}
                                                  : p.pass == ConvPass::dgrad ? std::array{g.x, g.y, g.w}
                                                                              : std::array{g.w, g.x, g.y};
  const Buffer out = random_tensor(out_shape), in = random_tensor(in_shape), other = random_tensor(other_shape);
  std::vector<Candidate> all = candidates(p);
  Stream stream;
  const auto start = std::chrono::steady_clock::now();
  auto seconds = [](auto since) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
  };
  for (int round = 0; round < 2 || seconds(start) < least_seconds; ++round)
    for (Candidate& c : all)
      for (int run = 0; run < 3; ++run) {
        const auto before = std::chrono::steady_clock::now();
        c.run(stream, out.tensor({out_shape}), in.tensor({in_shape}), other.tensor({other_shape}), c.workspace.data());
        if (run > 0) c.seconds.push_back(seconds(before));
      }
  const double flops = 2.0 * static_cast<double>(g.y.elements()) * static_cast<double>(g.w.h * g.w.w * g.w.c);
  fmt::print("{:<32}", to_string(p));
  for (Candidate& c : all) fmt::print(" {:6.0f} [{:4.0f}]", c.gflop_s(flops, 0.5), c.gflop_s(flops, 0));
  const double ours = all[0].gflop_s(flops, 0.5), nhwc = all[1].gflop_s(flops, 0.5),
               blocked = all[2].gflop_s(flops, 0.5);
  fmt::print(" {:6.2f} {:6.2f}  {:9.3f} ms\n", ours / nhwc, ours / std::max(nhwc, blocked), flops * 1e-6 / ours);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  StepOptions options;
  options.batch = 4;
  options.loss.style_layers = 16;
  bool networks = false;
  double seconds = 0.25;
  std::string filter;
  CLI::App app("Times 3x3 convolutions, ours and oneDNN's");
  app.add_flag("--networks", networks, "all of a training step");
  app.add_option("--width", options.net.width);
  app.add_option("--size", options.size);
  app.add_option("--batch", options.batch);
  app.add_option("--style", options.loss.style_layers, "VGG-19 layers; 0: no style loss");
  app.add_option("--filter", filter, "part of a line's name, such as wgrad");
  app.add_option("--seconds", seconds, "for each shape");
  CLI11_PARSE(app, argc, argv);
  if (options.loss.style_layers == 0) options.loss.style = 0;
  fmt::print("{} threads\n{:<32} {:>13} {:>13} {:>13} {:>13}\n", omp_get_max_threads(), "pass, shape", "ours", "NHWC",
             "blocked", "ours/NHWC, ours/better");
  for (const Problem& p : networks ? network_problems(options) : main_problems())
    if (to_string(p).find(filter) != std::string::npos) time_problem(p, seconds);
}
