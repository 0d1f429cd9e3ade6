// The device's reference convolutions and what compares plans with them, against the definition in double.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/bf16.h"
#include "kernels/conv_direct.h"
#include "kernels/emulation/controls.h"
#include "tests/support/conv_reference.h"

using namespace ipa;
using namespace ipa::cuda;
using test::Array;

namespace {

struct Case {
  const char* name;
  ConvGeometry geometry;
  ConvFusion fusion = {};
};

ConvGeometry geometry(Shape x, std::int64_t out, std::int64_t kernel, int stride, int pad, int dilation = 1) {
  auto extent = [&](std::int64_t size) { return conv_extent(size, kernel, stride, pad, dilation); };
  return {x, {out, kernel, kernel, x.c}, {x.n, extent(x.h), extent(x.w), out}, stride, pad, dilation};
}

double rounded(double v, DType t) {
  const auto f = static_cast<float>(v);
  return static_cast<double>(t == DType::bf16 ? to_float(to_bf16(f)) : f);
}

// An operand in the device's layout and as an array of the network's channels. What lies between pixels is NaN.
struct Operand {
  ConvLayout layout;
  std::vector<std::uint32_t> memory;
  Array array;

  Operand(const ConvProblem& p, ConvOperand o, const Shape& logical, unsigned seed)
      : layout(conv_layout(p, o)), memory(layout.bytes() / 4 + 4, 0xffffffffu), array(logical) {
    const Array random = test::random_array(logical, -1, 1, seed);
    const Shape& s = layout.spec.shape;
    for (std::int64_t pixel = 0; pixel < s.pixels(); ++pixel)
      for (std::int64_t c = 0; c < s.c; ++c) {
        const bool pad = c >= logical.c || pixel >= logical.pixels();  // of weights the filters are the first index
        const double v = pad ? 0 : rounded(random[pixel * logical.c + c], layout.spec.dtype);
        if (!pad) array[pixel * logical.c + c] = v;
        put(pixel * layout.pitch + c, v);
      }
  }
  void put(std::int64_t i, double v) {
    const auto f = static_cast<float>(v);
    if (layout.spec.dtype == DType::bf16)
      static_cast<bf16*>(data())[i] = to_bf16(f);
    else
      static_cast<float*>(data())[i] = f;
  }
  void* data() { return memory.data(); }
};

// The packed f32 result, cut to the network's channels; padding must be 0.
Array cut(const std::vector<float>& result, const Shape& padded, const Shape& logical) {
  Array a(logical);
  for (std::int64_t pixel = 0; pixel < padded.pixels(); ++pixel)
    for (std::int64_t c = 0; c < padded.c; ++c) {
      const double v = static_cast<double>(result[static_cast<std::size_t>(pixel * padded.c + c)]);
      if (c < logical.c && pixel < logical.pixels())
        a[pixel * logical.c + c] = v;
      else
        REQUIRE(v == 0);
    }
  return a;
}

Array run(const ConvProblem& p, const ConvPointers& pointers, const Shape& logical) {
  const Shape padded = conv_layout(p, conv_result(p.pass)).spec.shape;
  std::vector<float> result(static_cast<std::size_t>(padded.elements()), std::numeric_limits<float>::quiet_NaN());
  Stream stream;
  conv_direct(stream, p, pointers, result.data());
  return cut(result, padded, logical);
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"3x3", geometry({2, 5, 7, 3}, 5, 3, 1, 1)},
      {"1x1, one pixel", geometry({1, 1, 1, 9}, 17, 1, 1, 0)},
      {"4x4, stride 2", geometry({1, 9, 8, 2}, 8, 4, 2, 1)},
      {"2x2, stride 2", geometry({2, 6, 4, 8}, 3, 2, 2, 0)},
      {"3x3, dilation 2", geometry({1, 8, 6, 40}, 4, 3, 1, 2, 2)},
      {"3x3 in slices", geometry({2, 4, 5, 6}, 12, 3, 1, 1), {.x_pitch = 24, .y_pitch = 40}},
  };
  return all;
}

}  // namespace

TEST_CASE("the direct convolutions are those of the definition") {
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const Case& c : cases())
      for (const ConvPass pass : {ConvPass::forward, ConvPass::dgrad, ConvPass::wgrad}) {
        const ConvGeometry& g = c.geometry;
        const ConvProblem p{pass, g, dtype, c.fusion};
        INFO(to_string(p) << ": " << c.name);
        const ConvAttributes t{.stride = g.stride, .pad = g.pad, .dilation = g.dilation};
        Operand x(p, ConvOperand::x, g.x, 1), w(p, ConvOperand::w, g.w, 2), y(p, ConvOperand::y, g.y, 3);
        const ConvPointers pointers{x.data(), w.data(), y.data()};
        for (const std::uint64_t schedule : {0, 1, 2}) {
          emulation::set_schedule(schedule);
          const Array wanted = pass == ConvPass::forward
                                   ? conv_reference(x.array, w.array, Array(vector_shape(g.y.c)), t)
                               : pass == ConvPass::dgrad ? dgrad_reference(y.array, w.array, g.x, t)
                                                         : wgrad_reference(x.array, y.array, g.w, t);
          CHECK(test::relative_distance(run(p, pointers, wanted.shape), wanted) < 1e-7);
        }
        emulation::set_schedule(0);
      }
}

TEST_CASE("a direct convolution computes what is fused with it") {
  const ConvGeometry g = geometry({2, 4, 5, 6}, 11, 3, 1, 1);
  const ConvAttributes t{.pad = 1};
  for (const DType dtype : {DType::f32, DType::bf16}) {
    const ConvProblem forward{
        ConvPass::forward, g, dtype, {.normalise = true, .bias = true, .activation = leaky_relu_activation(0.25f)}};
    Operand x(forward, ConvOperand::x, g.x, 1), w(forward, ConvOperand::w, g.w, 2), y(forward, ConvOperand::y, g.y, 3),
        bias(forward, ConvOperand::bias, vector_shape(g.y.c), 4),
        scale(forward, ConvOperand::scale, vector_shape(g.x.c), 5),
        shift(forward, ConvOperand::shift, vector_shape(g.x.c), 6);
    Array normalised = x.array;
    for (std::int64_t i = 0; i < normalised.size(); ++i) {
      const auto v = static_cast<float>(normalised[i]) * static_cast<float>(scale.array[i % g.x.c]);
      normalised[i] = rounded(std::max(0.0f, v + static_cast<float>(shift.array[i % g.x.c])), dtype);
    }
    Array wanted = conv_reference(normalised, w.array, bias.array, t);
    for (std::int64_t i = 0; i < wanted.size(); ++i) wanted[i] *= wanted[i] < 0 ? 0.25 : 1;
    ConvPointers pointers{x.data(), w.data(), y.data(), bias.data(), scale.data(), shift.data()};
    CHECK(test::relative_distance(run(forward, pointers, g.y), wanted) < 1e-6);

    const ConvProblem dgrad{ConvPass::dgrad, g, dtype, {.add = true, .relu_backward = true}};
    Operand added(dgrad, ConvOperand::added, g.x, 7), relu(dgrad, ConvOperand::relu, g.x, 8);
    pointers[static_cast<std::size_t>(ConvOperand::added)] = added.data();
    pointers[static_cast<std::size_t>(ConvOperand::relu)] = relu.data();
    wanted = dgrad_reference(y.array, w.array, g.x, t);
    for (std::int64_t i = 0; i < wanted.size(); ++i) wanted[i] = relu.array[i] > 0 ? wanted[i] + added.array[i] : 0;
    CHECK(test::relative_distance(run(dgrad, pointers, g.x), wanted) < 1e-6);
  }
}

TEST_CASE("a dgrad is a forward convolution with flipped filters") {
  const ConvGeometry g = geometry({1, 6, 5, 3}, 10, 3, 1, 1);
  const ConvProblem dgrad{ConvPass::dgrad, g, DType::bf16, {}};
  Operand w(dgrad, ConvOperand::w, g.w, 2), y(dgrad, ConvOperand::y, g.y, 3), x(dgrad, ConvOperand::x, g.x, 1);
  const Array wanted = dgrad_reference(y.array, w.array, g.x, {.pad = 1});

  const ConvProblem forward{ConvPass::forward, geometry(g.y, g.x.c, 3, 1, 1), DType::bf16, {}};
  std::vector<bf16> flipped(conv_layout(forward, ConvOperand::w).bytes() / sizeof(bf16));
  Stream stream;
  flip_filters(stream, g.w, DType::bf16, flipped.data(), w.data());
  CHECK(test::relative_distance(run(forward, {y.data(), flipped.data(), x.data()}, g.x), wanted) < 1e-7);
}

TEST_CASE("statistics are sums over the pixels") {
  const ConvProblem p{ConvPass::forward, geometry({2, 7, 9, 3}, 5, 3, 1, 1), DType::bf16, {.statistics = true}};
  const std::int64_t channels = 8, pixels = 2 * 7 * 9;
  const Array y = test::random_array({2, 7, 9, channels}, -1, 2, 9);
  const std::vector<float> values(y.v.begin(), y.v.end());
  std::vector<float> sums(2 * static_cast<std::size_t>(channels));
  Stream stream;
  conv_direct_statistics(stream, p, values.data(), sums.data());
  Array got(vector_shape(2 * channels)), wanted(vector_shape(2 * channels));
  for (std::int64_t i = 0; i < pixels * channels; ++i) {
    wanted[i % channels] += y[i];
    wanted[channels + i % channels] += y[i] * y[i];
  }
  std::copy(sums.begin(), sums.end(), got.v.begin());
  CHECK(test::relative_distance(got, wanted) < 1e-6);
}

TEST_CASE("a comparison sees one wrong element, one NaN and one changed bit") {
  const ConvLayout layout{{{1, 30, 50, 8}, DType::bf16}, 16};
  std::vector<bf16> values(1500 * 16, bf16{0xffff});  // NaN between the pixels
  std::vector<float> reference(1500 * 8);
  Stream stream;
  fill_random(stream, DType::f32, reference.data(), 1500 * 8, 1, 3);
  double squared = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    reference[i] = to_float(to_bf16(reference[i]));
    values[i / 8 * 16 + i % 8] = to_bf16(reference[i]);
    squared += static_cast<double>(reference[i]) * static_cast<double>(reference[i]);
  }
  auto difference = [&] {
    Difference d;
    compare(stream, layout, values.data(), reference.data(), 1, &d);
    return d;
  };
  const Difference same = difference();
  CHECK(same.squared == 0);
  CHECK(same.largest == 0);
  CHECK(same.reference_squared == Approx(squared));
  CHECK(same.reference_squared == Approx(1500 * 8 / 3.0).epsilon(0.05));  // uniform in [-1, 1)
  CHECK(same.numbers == 1500);

  const std::size_t at = 1234 * 16 + 5;
  const bf16 right = values[at];
  values[at] = to_bf16(to_float(right) + 2);
  CHECK(difference().largest == Approx(2).epsilon(0.01));
  CHECK(difference().squared == Approx(4).epsilon(0.01));
  values[at] = bf16{0x7fff};
  CHECK(std::isnan(difference().largest));
  CHECK(difference().numbers == 1500);  // not in the first channel
  values[at] = bf16{static_cast<std::uint16_t>(right.bits ^ 1)};
  CHECK(difference().bits != same.bits);
  values[at] = right;
  CHECK(difference().bits == same.bits);
  std::swap(values[at], values[at + 1]);  // the same values in other places
  CHECK(difference().bits != same.bits);

  fill_value(stream, DType::bf16, values.data(), 16, std::numeric_limits<float>::quiet_NaN());
  CHECK(difference().numbers == 1499);
}
