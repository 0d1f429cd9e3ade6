// The bf16 copy that Adam keeps of the parameters, which the CPU has not.
#include <catch2/catch.hpp>
#include <cmath>

#include "engine/transfer.h"
#include "graph/ops.h"
#include "graph/program.h"
#include "tests/support/array.h"

using namespace ipa;
using namespace ipa::test;

namespace {

constexpr Device device{Device::Kind::cuda, 0};

struct Updated {
  std::vector<float> before, after, copy;
};

// One update of random parameters whose copy holds 7s.
Updated update(std::int64_t count, float enabled) {
  const TensorSpec flat{vector_shape(count)}, flat_bf16{vector_shape(count), DType::bf16};
  Graph graph;
  std::vector<Buffer> memory;
  Program::Bindings bindings;
  auto state = [&](const TensorSpec& spec, double low, double high, unsigned seed) {
    const Value v = graph.state("state", spec);
    memory.emplace_back("state", bytes_on(device, spec), device);
    const Tensor t = memory.back().tensor(spec);
    to_tensor(random_array(spec.shape, low, high, seed), t);
    bindings[v.id] = t;
    return v;
  };
  const Value p = state(flat, -1, 1, 1), m = state(flat, -1, 1, 2), v = state(flat, 0, 1, 3), g = state(flat, -1, 1, 4),
              copy = state(flat_bf16, 7, 7, 5), rates = state({vector_shape(2)}, 0.01, 0.01, 6),
              flag = state({scalar_shape}, enabled, enabled, 7);
  adam(p, m, v, g, rates, flag, {.beta1 = 0.5}, copy);
  Program program(graph, plan(graph, {}, {.device = device}), bindings);
  Updated u{.before = to_host(bindings[p.id])};
  Stream stream(device);
  program.run(stream);
  stream.wait();
  u.after = to_host(bindings[p.id]);
  u.copy = to_host(bindings[copy.id]);
  return u;
}

}  // namespace

TEST_CASE("Adam's bf16 copy holds the updated parameters, rounded") {
  for (const std::int64_t count : {16, 48, 4112}) {
    INFO(count);
    const Updated u = update(count, 1);
    CHECK(u.after != u.before);
    std::vector<float> rounded;
    for (const float x : u.after) rounded.push_back(to_float(to_bf16(x)));
    CHECK(u.copy == rounded);
    CHECK(rounded != u.after);
  }
}

TEST_CASE("Where Adam is disabled the parameters and their bf16 copy stay") {
  for (const float flag : {0.0f, std::nanf("")}) {
    const Updated u = update(48, flag);
    CHECK(u.after == u.before);
    CHECK(u.copy == std::vector<float>(48, 7.0f));
  }
}
