// Winograd for 4x4 kernels against the definition in double: every instruction set that this CPU has, sizes that are
// no multiple of anything, slices.
#include <omp.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "engine/buffer.h"
#include "kernels/winograd_taps.h"
#include "tests/support/conv_reference.h"
#include "tests/support/simd_levels.h"
#include "tests/support/slice.h"

using namespace ipa;
using namespace ipa::test;

namespace {

struct Problem {
  Shape x;
  std::int64_t out;
  int stride;

  ConvAttributes attributes() const { return {stride, 1, 1}; }
  Shape w() const { return {out, 4, 4, x.c}; }
  Shape y() const { return {x.n, conv_extent(x.h, 4, stride, 1, 1), conv_extent(x.w, 4, stride, 1, 1), out}; }
  ConvGeometry geometry() const { return {x, w(), y(), stride, 1, 1}; }
};

struct Operands {
  Array x, w, bias, dy;

  explicit Operands(const Problem& p)
      : x(random_array(p.x, -1, 1, 1)),
        w(random_array(p.w(), -1, 1, 2)),
        bias(random_array(vector_shape(p.out), -1, 1, 3)),
        dy(random_array(p.y(), -1, 1, 4)) {}
};

Array forward(const Problem& p, const Operands& o, Activation a, std::int64_t beside) {
  Slice x(o.x, beside), w(o.w, 0), bias(o.bias, 0), y(p.y(), beside);
  const auto prepared = winograd_taps::prepare_conv(p.geometry(), true, a);
  const Buffer workspace("workspace", prepared.workspace_bytes);
  Stream stream;
  prepared.run(stream, y.tensor(), x.tensor(), w.tensor(), bias.tensor(), workspace.data());
  CHECK(y.intact());
  return y.array();
}

Array dgrad(const Problem& p, const Operands& o, std::int64_t beside) {
  Slice dy(o.dy, beside), w(o.w, 0), dx(p.x, beside);
  const auto prepared = winograd_taps::prepare_conv_dgrad(p.geometry());
  const Buffer workspace("workspace", prepared.workspace_bytes);
  Stream stream;
  prepared.run(stream, dx.tensor(), dy.tensor(), w.tensor(), workspace.data());
  CHECK(dx.intact());
  return dx.array();
}

Array wgrad(const Problem& p, const Operands& o, std::int64_t beside) {
  Slice x(o.x, beside), dy(o.dy, beside), dw(p.w(), 0);
  const auto prepared = winograd_taps::prepare_conv_wgrad(p.geometry());
  const Buffer workspace("workspace", prepared.workspace_bytes);
  Stream stream;
  prepared.run(stream, dw.tensor(), x.tensor(), dy.tensor(), workspace.data());
  CHECK(dw.intact());
  return dw.array();
}

}  // namespace

TEST_CASE("winograd_taps: both strides by every instruction set", "[winograd_taps]") {
  for (const int stride : {1, 2})
    for (const Problem& p :
         {Problem{{1, 13, 9, 33}, 40, stride}, Problem{{2, 10, 12, 5}, 3, stride}, Problem{{1, 3, 4, 64}, 17, stride},
          Problem{{1, 20, 17, 40}, 135, stride}, Problem{{2, 57, 43, 36}, 8, stride}}) {
      const Operands o(p);
      const Array y = conv_reference(o.x, o.w, o.bias, p.attributes());
      const Array dx = dgrad_reference(o.dy, o.w, p.x, p.attributes());
      const Array dw = wgrad_reference(o.x, o.dy, p.w(), p.attributes());
      INFO("x " << to_string(p.x) << " to " << p.out << ", stride " << stride);
      on_each_level([&] {
        for (const std::int64_t beside : {0, 5}) {
          CHECK(relative_distance(forward(p, o, {}, beside), y) < 3e-6);
          CHECK(relative_distance(dgrad(p, o, beside), dx) < 3e-6);
          CHECK(relative_distance(wgrad(p, o, beside), dw) < 3e-6);
        }
      });
    }
}

TEST_CASE("winograd_taps: what is prepared keeps its instruction set", "[winograd_taps]") {
  const Problem p{{1, 20, 17, 40}, 135, 2};
  const Operands o(p);
  on_each_level([&] {
    const Array expected = forward(p, o, {}, 0);
    Slice x(o.x, 0), w(o.w, 0), bias(o.bias, 0);
    const auto prepared = winograd_taps::prepare_conv(p.geometry(), true, {});
    const Buffer workspace("workspace", prepared.workspace_bytes);
    for (const SimdLevel level : {SimdLevel::portable, SimdLevel::avx2, SimdLevel::avx512}) {
      if (!has_simd(level)) continue;
      set_simd_level(level);
      Slice y(p.y(), 0);
      Stream stream;
      prepared.run(stream, y.tensor(), x.tensor(), w.tensor(), bias.tensor(), workspace.data());
      CHECK(same_bits(y.array(), expected));
    }
  });
}

TEST_CASE("winograd_taps: the same bits on any number of threads", "[winograd_taps]") {
  const int before = omp_get_max_threads();
  for (const int stride : {1, 2})
    on_each_level([&] {
      const Problem p{{2, 31, 32, 40}, 72, stride};
      const Operands o(p);
      omp_set_num_threads(1);
      const Array y = forward(p, o, {}, 0), dx = dgrad(p, o, 0), dw = wgrad(p, o, 0);
      for (const int threads : {2, 3}) {
        omp_set_num_threads(threads);
        CHECK(same_bits(forward(p, o, {}, 0), y));
        CHECK(same_bits(dgrad(p, o, 0), dx));
        CHECK(same_bits(wgrad(p, o, 0), dw));
      }
    });
  omp_set_num_threads(before);
}

TEST_CASE("winograd_taps: activations, through which a NaN stays a NaN", "[winograd_taps]") {
  for (const int stride : {1, 2})
    for (const Activation a :
         {no_activation, relu_activation, leaky_relu_activation(0.2f), tanh_activation, sigmoid_activation})
      on_each_level([&] {
        const Problem p{{1, 21, 22, 9}, 19, stride};
        Operands o(p);
        o.x.at(0, 4, 4, 3) = std::nan("");
        const Array wanted = map(conv_reference(o.x, o.w, o.bias, p.attributes()), [&](double v) {
          return with_activation(a, [&](auto f) { return static_cast<double>(f.value(static_cast<float>(v))); });
        });
        const Array made = forward(p, o, a, 0);
        std::int64_t numbers = 0;
        for (std::int64_t i = 0; i < made.size(); ++i) {
          if (std::isnan(wanted[i])) REQUIRE(std::isnan(made[i]));
          if (std::isnan(made[i])) continue;  // of a tile that has read it
          ++numbers;
          CHECK(made[i] == Approx(wanted[i]).margin(3e-5));
        }
        CHECK(numbers > 0);
      });
}

TEST_CASE("winograd_taps: a NaN of one pixel reaches every tap of its channel", "[winograd_taps]") {
  for (const int stride : {1, 2})
    on_each_level([&] {
      const Problem p{{1, 21, 22, 9}, 19, stride};
      Operands o(p);
      o.x.at(0, 4, 4, 3) = std::nan("");
      const Array dw = wgrad(p, o, 0);
      for (std::int64_t i = 0; i < dw.size(); ++i) {
        const std::int64_t tap = i / 9 % 16, row = tap / 4, column = tap % 4;
        const bool read = stride == 1 || ((row - 1 + 4) % 2 == 0 && (column - 1 + 4) % 2 == 0);  // pixel (4, 4)
        CHECK(std::isnan(dw[i]) == (i % 9 == 3 && read));
      }
    });
}
