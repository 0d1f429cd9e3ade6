#include "tests/support/tail_case.h"

namespace ipa::test {
namespace {

using Arrays = std::vector<Array>;
using ValueList = std::vector<Value>;

// gammas: of shortcut, residual and out; the network has the last one.
OpCase tail_case(const Shape& s, bool bench = false, std::array<bool, 3> gammas = {false, false, true}) {
  OpCase k{
      .name = std::string("respath_tail: ") + (bench ? "bench " : "") + to_string(s) + (gammas[0] ? " all gammas" : ""),
      .inputs = {{.shape = s, .low = -1.5}, {.shape = s, .high = 1.5}},
      .bench_only = bench};
  const NormInputs shortcut(k, s.c, gammas[0], 1e-3f, 0.01f), residual(k, s.c, gammas[1], 1e-3f, 0.1f),
      out(k, s.c, gammas[2], 1e-2f, 0.3f);
  k.build = [=](Graph&, const ValueList& in) {
    return ValueList{respath_tail(in[0], in[1], shortcut.norm(in), residual.norm(in), out.norm(in))};
  };
  k.reference = [=](const Arrays& in) {
    const NaiveBatchNorm u = shortcut.naive(in[0], in), v = residual.naive(in[1], in);
    const NaiveBatchNorm y = out.naive(sum_relu(u.y, map(v.y, [](double x) { return std::max(0.0, x); })), in);
    return Arrays{y.y, u.running_mean, u.running_var, v.running_mean, v.running_var, y.running_mean, y.running_var};
  };
  return k;
}

OpCase folded_case(const Shape& s, bool bench = false) {
  OpCase k{
      .name = std::string("respath_tail: folded ") + (bench ? "bench " : "") + to_string(s),
      .inputs = {{.shape = s, .gradient = false}, {.shape = s, .gradient = false}},
      .build = [](Graph&, const ValueList& in) { return ValueList{respath_tail_folded(in[0], in[1], in[2], in[3])}; },
      .reference =
          [](const Arrays& in) {
            Array y(in[0].shape);
            for (std::int64_t i = 0; i < y.size(); ++i) {
              const std::int64_t c = i % y.shape.c;
              y[i] = in[2][c] * std::max(0.0, in[0][i] + std::max(0.0, in[1][i])) + in[3][c];
            }
            return Arrays{y};
          },
      .bench_only = bench};
  k.inputs.insert(k.inputs.end(), 2, {.shape = vector_shape(s.c), .gradient = false, .exact = true});
  return k;
}

const Register registered({
    tail_case({2, 6, 7, 17}),
    tail_case({2, 5, 5, 8}, false, {true, true, true}),
    tail_case({1, 70, 71, 3}),  // several blocks, the last one short
    tail_case({1, 9, 8, 520}),  // wider than a piece of lanes, several blocks
    tail_case({3, 1, 1, 1}),
    tail_case({4, 256, 256, 32}, true),
    tail_case({4, 128, 128, 64}, true),
    tail_case({4, 32, 32, 256}, true),
    folded_case({2, 5, 7, 17}),
    folded_case({1, 1, 1, 1}),
    folded_case({4, 256, 256, 32}, true),
});

}  // namespace
}  // namespace ipa::test
