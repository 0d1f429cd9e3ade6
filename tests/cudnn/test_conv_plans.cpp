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
#include <set>

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

// A hidden layout conversion copies a whole tensor into the workspace.
std::size_t most_workspace(const ConvProblem& p) {
  const std::size_t copy = std::min(conv_layout(p, ConvOperand::x).bytes(), conv_layout(p, ConvOperand::y).bytes());
  return std::min(conv_workspace_limit, std::max<std::size_t>(copy / 4, 4096));
}

struct Built {
  std::size_t offered = 0, admitted = 0, tf32 = 0;  // engine configurations
  std::int64_t engine = -1;
  std::size_t workspace_bytes = 0;
  double build_ms = 0;  // the heuristic's answer and plans built up to the first that can be had
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
      b.tf32 += refusal(e, problem.dtype) == "TF32";
      if (!refusal(e, problem.dtype).empty()) continue;
      ++b.admitted;
      if (b.engine >= 0) continue;
      const CudnnPlan plan = CudnnPlan::build(h200(), e, b.why_none);
      if (!plan || plan.workspace_bytes() > most_workspace(problem)) {
        if (plan) b.why_none = fmt::format("a plan wants {} bytes of workspace", plan.workspace_bytes());
        continue;
      }
      b.engine = e.engine;
      b.workspace_bytes = plan.workspace_bytes();
      b.json = plan.json();
    }
    if (b.engine >= 0) break;
  }
  b.build_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return b;
}

void check_plan(const ConvProblem& problem, const Built& b) {
  INFO(to_string(problem) << ": " << b.why_none);
  CHECK(b.engine >= 0);
  CHECK(b.workspace_bytes <= most_workspace(problem));
}

void append_row(const ConvProblem& problem, const Built& b) {
  const char* path = std::getenv("IPA_PLAN_TABLE");
  if (!path) return;
  const std::string text = to_string(problem);
  const std::size_t space = text.find(' ');
  std::ofstream(path, std::ios::app) << fmt::format("| {} | {} | {} | {} | {:.1f} | {:.0f} |\n", text.substr(space + 1),
                                                    text.substr(0, space), b.admitted, b.engine,
                                                    static_cast<double>(b.workspace_bytes) / 1024, b.build_ms);
}

void check_all(const std::vector<ConvProblem>& problems) {
  for (const ConvProblem& p : problems) {
    const Built b = build_first(p);
    append_row(p, b);
    check_plan(p, b);
  }
}

}  // namespace

TEST_CASE("the networks' convolutions have plans: a sample") {
  const auto problems = test::network_problems(8);
  REQUIRE(problems.size() > 100);
  for (std::size_t i = 0; i < problems.size(); i += 11) check_plan(problems[i], build_first(problems[i]));
}

TEST_CASE("the fused forms have plans: a sample") {
  const auto problems = test::fused_problems(8);
  for (std::size_t i = 0; i < problems.size(); i += 7) check_plan(problems[i], build_first(problems[i]));
}

// Why batch norm's map does not lie in the next convolution's kernel (docs/fusion.md).
TEST_CASE("cuDNN normalises a convolution's input, but with no sums in a fixed order and in no weight gradient") {
  enum class Form { forward, sums, wgrad };
  auto offered = [](Form form, bool normalise, const Activation& a) {
    const Shape x{16, 128, 128, 64}, w{128, 4, 4, 64}, y{16, 64, 64, 128};
    const ConvWindow window{2, 1, 1};
    OperationGraph graph;
    auto in = graph.in_memory(1, {x, DType::bf16}, x.c);
    if (normalise) {
      const auto scaled = graph.inside({x, DType::f32}), shifted = graph.inside({x, DType::f32}),
                 active = graph.inside({x, DType::bf16});
      graph.mul(in, graph.in_memory(2, {vector_shape(x.c)}, x.c), scaled);
      graph.add(scaled, graph.in_memory(3, {vector_shape(x.c)}, x.c), shifted);
      graph.activation(a, shifted, active);
      in = active;
    }
    const auto out = graph.in_memory(5, {y, DType::bf16}, y.c);
    if (form == Form::wgrad) {
      graph.conv_wgrad(in, graph.in_memory(4, {w, DType::bf16}, w.c), out, window);
    } else {
      graph.conv(in, graph.in_memory(4, {w, DType::bf16}, w.c), out, window);
    }
    if (form == Form::sums) graph.sum_pixels(out, graph.in_memory(6, {vector_shape(y.c)}, y.c), false);
    graph.finish(h200());
    std::size_t count = 0;
    std::string why_none;
    for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK})
      count += graph.engines(h200(), mode, why_none).size();
    return count;
  };
  for (const Form form : {Form::forward, Form::sums, Form::wgrad}) CHECK(offered(form, false, {}) > 0);
  for (const Activation& a : {relu_activation, leaky_relu_activation(0.2f)}) {
    CHECK(offered(Form::forward, true, a) > 0);
    CHECK(offered(Form::sums, true, a) == 0);
    CHECK(offered(Form::wgrad, true, a) == 0);
  }
}

TEST_CASE("the convolutions of a rewritten step have plans: a sample") {
  const auto problems = test::rewritten_problems(8);
  REQUIRE(problems.size() > 20);
  for (std::size_t i = 0; i < problems.size(); i += 23) check_plan(problems[i], build_first(problems[i]));
}

TEST_CASE("f32 convolutions have plans without TF32") {
  const auto problems = test::network_problems(8);
  for (std::size_t i = 0; i < problems.size(); i += 19) {
    ConvProblem p = problems[i];
    p.dtype = DType::f32;
    const Built b = build_first(p);
    check_plan(p, b);
    CHECK(b.tf32 > 0);  // cuDNN offers those too: they are told apart
  }
}

TEST_CASE("a plan outlives its process as text; damaged text gives no plan") {
  const ConvProblem problem = test::fused_problems(1).front();
  const Built b = build_first(problem);
  std::string why_none;
  const CudnnPlan plan = CudnnPlan::load(h200(), b.json, why_none);
  INFO(why_none);
  REQUIRE(plan);
  CHECK(plan.workspace_bytes() == b.workspace_bytes);
  CHECK(plan.json().size() == b.json.size());
  CHECK_FALSE(CudnnPlan::load(h200(), b.json.substr(0, b.json.size() / 2), why_none));
  CHECK_FALSE(why_none.empty());
  CHECK_FALSE(CudnnPlan::load(h200(), "{}", why_none));
}

TEST_CASE("graphs have equal text only if they are equal") {
  std::set<std::string> texts, problems;
  for (const std::int64_t batch : {1, 8}) {
    for (const auto& list : {test::network_problems(batch), test::fused_problems(batch)})
      for (ConvProblem p : list)
        for (const DType dtype : {DType::bf16, DType::f32}) {
          p.dtype = dtype;
          p.geometry.x.c = padded_channels(p.geometry.x.c), p.geometry.y.c = padded_channels(p.geometry.y.c);
          p.geometry.w.c = padded_channels(p.geometry.w.c), p.geometry.w.n = padded_channels(p.geometry.w.n);
          problems.insert(to_string(p));
          texts.insert(conv_graph(p).text());
          CHECK(texts.size() == problems.size());
        }
  }
}

TEST_CASE("what cuDNN refuses is an error that says so") {
  ConvProblem p = test::network_problems(1).front();
  p.geometry.y.h += 1;  // not what the convolution gives
  try {
    OperationGraph graph = conv_graph(p);
    graph.finish(h200());
    FAIL("accepted");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::device);
    CHECK_THAT(e.what(), Catch::Contains("cuDNN") && Catch::Contains("conv"));
  }
}

TEST_CASE("every convolution of the networks has a plan", "[.all]") {
  for (const std::int64_t batch : {1, 8, 32}) check_all(test::network_problems(batch));
}

TEST_CASE("every convolution of a rewritten step has a plan", "[.all]") {
  for (const std::int64_t batch : {1, 8, 32}) check_all(test::rewritten_problems(batch));
}

TEST_CASE("every fused form has a plan", "[.all]") {
  for (const std::int64_t batch : {1, 8, 32}) check_all(test::fused_problems(batch));
}
