// Builds cuDNN's plans for an H200 that is only described (h200.json), where there is no GPU. A plan that builds says
// nothing about its speed or its result; it says that the convolution can run, fused as asked, in the memory reserved.
//   test_conv_plans               a sample at batch 8
//   test_conv_plans "[all]"       every convolution at batch 1, 8 and 32; with IPA_PLAN_TABLE=FILE as a Markdown table
#include <fmt/core.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "kernels/conv_cudnn.h"
#include "kernels/conv_graph_cudnn.h"
#include "tests/cudnn/conv_problems.h"

using namespace ipa;
using namespace ipa::cuda;

namespace {

const Target& h200() {
  static const Target target = [] {
    std::ifstream file(std::string(IPA_TEST_DIR) + "/cudnn/h200.json");
    return Target::described(std::string(std::istreambuf_iterator<char>(file), {}));
  }();
  return target;
}

struct Built {
  std::size_t offered = 0, admitted = 0;  // engine configurations
  std::int64_t engine = -1;
  std::size_t workspace_bytes = 0;
  double build_ms = 0;  // the heuristic's answer and the compilation of the first plan that can be had
  std::string json, why_none;
};

Built build_first(const ConvProblem& problem) {
  const auto start = std::chrono::steady_clock::now();
  Built b;
  OperationGraph graph = conv_graph(problem);
  graph.finish(h200());
  for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    for (const EngineConfig& e : graph.engines(h200(), mode, b.why_none)) {
      ++b.offered;
      if (!refusal(e, problem.dtype).empty()) continue;
      ++b.admitted;
      if (b.engine >= 0) continue;
      const CudnnPlan plan = CudnnPlan::build(h200(), e, b.why_none);
      if (!plan || plan.workspace_bytes() > conv_workspace_limit) continue;
      b.engine = e.engine;
      b.workspace_bytes = plan.workspace_bytes();
      b.json = plan.json();
    }
    if (b.engine >= 0) break;
  }
  b.build_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return b;
}

// A hidden layout conversion copies a whole tensor into the workspace.
std::size_t smallest_copy(const ConvProblem& p) {
  return std::min(conv_layout(p, ConvOperand::x).bytes(), conv_layout(p, ConvOperand::y).bytes());
}

void check_plan(const ConvProblem& problem, const Built& b) {
  INFO(to_string(problem) << ": " << b.why_none);
  CHECK(b.engine >= 0);
  CHECK(b.workspace_bytes <= conv_workspace_limit);
  CHECK(b.workspace_bytes <= std::max<std::size_t>(smallest_copy(problem) / 4, 4096));
}

void append_row(const ConvProblem& problem, const Built& b) {
  const char* path = std::getenv("IPA_PLAN_TABLE");
  if (!path) return;
  std::ofstream(path, std::ios::app) << fmt::format("| {} | {} of {} | {} | {:.1f} | {:.0f} |\n", to_string(problem),
                                                    b.admitted, b.offered, b.engine,
                                                    static_cast<double>(b.workspace_bytes) / 1024, b.build_ms);
}

}  // namespace

TEST_CASE("the networks' convolutions have plans: a sample") {
  const auto problems = test::network_problems(8);
  REQUIRE(problems.size() > 100);
  for (std::size_t i = 0; i < problems.size(); i += 7) check_plan(problems[i], build_first(problems[i]));
}

TEST_CASE("the fused forms have plans: a sample") {
  const auto problems = test::fused_problems(8);
  for (std::size_t i = 0; i < problems.size(); i += 5) check_plan(problems[i], build_first(problems[i]));
}

TEST_CASE("every convolution has a plan", "[.all]") {
  for (const std::int64_t batch : {1, 8, 32}) {
    auto problems = test::network_problems(batch);
    const auto fused = test::fused_problems(batch);
    problems.insert(problems.end(), fused.begin(), fused.end());
    for (const ConvProblem& p : problems) {
      const Built b = build_first(p);
      append_row(p, b);
      check_plan(p, b);
    }
  }
}
