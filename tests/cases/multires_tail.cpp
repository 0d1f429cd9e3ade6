#include "tests/support/tail_case.h"

namespace ipa::test {
namespace {

using Arrays = std::vector<Array>;
using ValueList = std::vector<Value>;

Array side_by_side(const Array& f1, const Array& f2, const Array& f3, const Shape& s) {
  Array y(s);
  for (std::int64_t row = 0; row < s.pixels(); ++row) {
    std::int64_t c = 0;
    for (const Array* f : {&f1, &f2, &f3})
      for (std::int64_t k = 0; k < f->shape.c; ++k) y[row * s.c + c++] = (*f)[row * f->shape.c + k];
  }
  return y;
}

std::vector<CaseInput> data_inputs(const Shape& p, std::int64_t a, std::int64_t b, std::int64_t c, bool gradient) {
  std::vector<CaseInput> inputs;
  for (const std::int64_t width : {a, b, c, a + b + c})
    inputs.push_back({.shape = {p.n, p.h, p.w, width}, .low = -1.5, .gradient = gradient});
  return inputs;
}

Array max_pool2_of(const Array& x) {
  const Shape s = x.shape;
  Array y({s.n, s.h / 2, s.w / 2, s.c});
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const std::int64_t pixel = i / s.c, row = pixel / (s.w / 2),
                       at = (2 * row * s.w + 2 * (pixel % (s.w / 2))) * s.c + i % s.c;
    y[i] = std::max(std::max(x[at], x[at + s.c]), std::max(x[at + s.w * s.c], x[at + s.w * s.c + s.c]));
  }
  return y;
}

// gammas: of shortcut, concat and out; the network has the last two.
OpCase tail_case(const Shape& p, std::int64_t a, std::int64_t b, std::int64_t c, bool bench = false,
                 std::array<bool, 3> gammas = {false, true, true}) {
  const std::int64_t total = a + b + c;
  OpCase k{.name = std::string("multires_tail: ") + (bench ? "bench " : "") + to_string({p.n, p.h, p.w, total}) +
                   (gammas[0]   ? " all gammas"
                    : gammas[1] ? ""
                                : " no gammas"),
           .inputs = data_inputs(p, a, b, c, true),
           .bench_only = bench};
  const NormInputs shortcut(k, total, gammas[0], 1e-3f, 0.01f), concat(k, total, gammas[1], 1e-3f, 0.1f),
      out(k, total, gammas[2], 1e-2f, 0.3f);
  k.build = [=](Graph&, const ValueList& in) {
    return ValueList{multires_tail(in[0], in[1], in[2], in[3], shortcut.norm(in), concat.norm(in), out.norm(in))};
  };
  k.reference = [=](const Arrays& in) {
    const NaiveBatchNorm s = shortcut.naive(in[3], in),
                         f = concat.naive(side_by_side(in[0], in[1], in[2], in[3].shape), in),
                         y = out.naive(sum_relu(s.y, f.y), in);
    return Arrays{y.y, s.running_mean, s.running_var, f.running_mean, f.running_var, y.running_mean, y.running_var};
  };
  return k;
}

// The same with y's maxima behind y.
OpCase pooled_case(const Shape& p, std::int64_t a, std::int64_t b, std::int64_t c, bool bench = false,
                   std::array<bool, 3> gammas = {false, true, true}) {
  OpCase k = tail_case(p, a, b, c, bench, gammas);
  k.name.replace(0, k.name.find(':'), "multires_tail_pooled");
  k.bf16_tolerance = 0.15;  // two numbers of a window may become one in bf16, and the gradient go to the other pixel
  const std::int64_t total = a + b + c;
  OpCase layout{.name = {}, .inputs = data_inputs(p, a, b, c, true)};
  const NormInputs shortcut(layout, total, gammas[0], 1e-3f, 0.01f), concat(layout, total, gammas[1], 1e-3f, 0.1f),
      out(layout, total, gammas[2], 1e-2f, 0.3f);
  k.build = [=](Graph&, const ValueList& in) {
    const Pooled made =
        multires_tail_pooled(in[0], in[1], in[2], in[3], shortcut.norm(in), concat.norm(in), out.norm(in));
    return ValueList{made.y, made.pooled};
  };
  k.reference = [plain = k.reference](const Arrays& in) {
    Arrays made = plain(in);
    made.insert(made.begin() + 1, max_pool2_of(made[0]));
    return made;
  };
  return k;
}

OpCase folded_case(const Shape& p, std::int64_t a, std::int64_t b, std::int64_t c, bool bench = false) {
  const std::int64_t total = a + b + c;
  OpCase k{.name = std::string("multires_tail: folded ") + (bench ? "bench " : "") + to_string({p.n, p.h, p.w, total}),
           .inputs = data_inputs(p, a, b, c, false),
           .build =
               [](Graph&, const ValueList& in) {
                 return ValueList{multires_tail_folded(in[0], in[1], in[2], in[3], in[4], in[5], in[6])};
               },
           .reference =
               [](const Arrays& in) {
                 Array y = side_by_side(in[0], in[1], in[2], in[3].shape);
                 for (std::int64_t i = 0; i < y.size(); ++i) {
                   const std::int64_t channel = i % y.shape.c;
                   y[i] = in[5][channel] * std::max(0.0, in[3][i] + in[4][channel] * y[i]) + in[6][channel];
                 }
                 return Arrays{y};
               },
           .bench_only = bench};
  k.inputs.insert(k.inputs.end(), 3, {.shape = vector_shape(total), .gradient = false, .exact = true});
  return k;
}

OpCase pooled_folded_case(const Shape& p, std::int64_t a, std::int64_t b, std::int64_t c, bool bench = false) {
  OpCase k = folded_case(p, a, b, c, bench);
  k.name.replace(0, k.name.find(':'), "multires_tail_pooled");
  k.build = [](Graph&, const ValueList& in) {
    const Pooled made = multires_tail_pooled_folded(in[0], in[1], in[2], in[3], in[4], in[5], in[6]);
    return ValueList{made.y, made.pooled};
  };
  k.reference = [plain = k.reference](const Arrays& in) {
    const Array y = plain(in)[0];
    return Arrays{y, max_pool2_of(y)};
  };
  return k;
}

const Register registered({
    tail_case({2, 6, 7, 0}, 8, 17, 26),
    tail_case({2, 4, 5, 0}, 1, 2, 3, false, {true, true, true}),
    tail_case({1, 7, 5, 0}, 17, 35, 53, false, {false, false, false}),
    tail_case({1, 51, 52, 0}, 3, 5, 9),      // several blocks, the last one short
    tail_case({1, 8, 9, 0}, 142, 284, 427),  // wider than a piece of lanes, several blocks
    tail_case({3, 1, 1, 0}, 2, 3, 4),        // one pixel an image
    tail_case({1, 3, 3, 0}, 1, 1, 1),        // several parts in one group of eight
    tail_case({1, 60, 61, 0}, 8, 16, 24),    // every part whole groups
    tail_case({4, 256, 256, 0}, 8, 17, 26, true),
    tail_case({4, 128, 128, 0}, 17, 35, 53, true),
    tail_case({4, 16, 16, 0}, 142, 284, 427, true),
    folded_case({2, 5, 7, 0}, 8, 17, 26),
    folded_case({1, 5, 9, 0}, 142, 284, 427),
    folded_case({1, 1, 1, 0}, 1, 1, 1),
    folded_case({4, 256, 256, 0}, 8, 17, 26, true),
    pooled_case({2, 6, 8, 0}, 8, 17, 26),
    pooled_case({3, 2, 2, 0}, 2, 3, 4, false, {true, true, true}),  // one window an image
    pooled_case({1, 4, 6, 0}, 17, 35, 53, false, {false, false, false}),
    pooled_case({1, 52, 50, 0}, 3, 5, 9),  // several blocks, the last one short
    pooled_case({1, 8, 6, 0}, 142, 284, 427),
    pooled_case({4, 256, 256, 0}, 8, 17, 26, true),
    pooled_folded_case({2, 6, 8, 0}, 8, 17, 26),
    pooled_folded_case({1, 2, 2, 0}, 1, 1, 1),
    pooled_folded_case({4, 256, 256, 0}, 8, 17, 26, true),
});

}  // namespace
}  // namespace ipa::test
