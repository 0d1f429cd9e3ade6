// Convolutions as products of matrices against the definition in double: every instruction set that this CPU has,
// sizes that are no multiple of anything, slices.
#include <omp.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "engine/buffer.h"
#include "kernels/conv_gemm.h"
#include "tests/support/conv_reference.h"
#include "tests/support/simd_levels.h"
#include "tests/support/slice.h"

using namespace ipa;
using namespace ipa::test;

namespace {

struct Problem {
  Shape x, w;
  ConvAttributes t;

  Shape y() const {
    return {x.n, conv_extent(x.h, w.h, t.stride, t.pad, t.dilation), conv_extent(x.w, w.w, t.stride, t.pad, t.dilation),
            w.n};
  }
  ConvGeometry geometry() const { return {x, w, y(), t.stride, t.pad, t.dilation}; }
};

const std::vector<Problem> problems{
    {{2, 5, 7, 51}, {32, 1, 1, 51}, {1, 0, 1}},   {{1, 9, 13, 1}, {51, 1, 1, 1}, {1, 0, 1}},
    {{2, 7, 9, 51}, {1, 1, 1, 51}, {1, 0, 1}},    {{1, 29, 31, 70}, {150, 1, 1, 70}, {1, 0, 1}},
    {{1, 8, 10, 32}, {105, 2, 2, 32}, {2, 0, 1}}, {{1, 6, 4, 3}, {17, 2, 2, 3}, {2, 0, 1}},
    {{2, 16, 12, 2}, {64, 4, 4, 2}, {2, 1, 1}},   {{1, 9, 7, 33}, {40, 4, 4, 33}, {2, 1, 1}},
    {{1, 7, 6, 20}, {136, 4, 4, 20}, {1, 1, 1}},  {{1, 6, 6, 64}, {1, 4, 4, 64}, {1, 1, 1}},
    {{1, 5, 6, 1}, {8, 3, 3, 1}, {1, 1, 1}},      {{2, 17, 19, 8}, {17, 3, 3, 8}, {1, 1, 1}},
    {{1, 11, 10, 5}, {3, 3, 3, 5}, {1, 4, 4}},    {{1, 11, 9, 6}, {10, 5, 3, 6}, {3, 0, 1}},
    {{1, 5, 6, 4}, {9, 1, 1, 4}, {2, 0, 1}},  // dgrad: most pixels of dx are of no tap
    {{1, 1, 1, 3}, {5, 3, 3, 3}, {1, 1, 1}},      {{3, 40, 41, 7}, {9, 3, 3, 7}, {1, 1, 1}},
};

template <class Prepared, class... Tensors>
void run(const Prepared& p, Tensors... tensors) {
  const Buffer workspace("workspace", p.workspace_bytes);
  Stream stream;
  p.run(stream, tensors..., workspace.data());
}

struct Results {
  Array y, dx, dw;
};

// All three passes; the tensors are slices of pixels with so many more channels.
Results run_all(const Problem& p, std::int64_t beside) {
  const Array x = random_array(p.x, -1, 1, 1), w = random_array(p.w, -1, 1, 2), dy = random_array(p.y(), -1, 1, 3);
  const Array bias = random_array(vector_shape(p.w.n), -1, 1, 4);
  Slice x_in(x, beside), dy_in(dy, beside), w_in(w, 0), bias_in(bias, 0);
  Slice y(p.y(), beside), dx(p.x, beside), dw(p.w, 0);
  const ConvGeometry g = p.geometry();
  run(gemm::prepare_conv(g, true, {}), y.tensor(), x_in.tensor(), w_in.tensor(), bias_in.tensor());
  run(gemm::prepare_conv_dgrad(g), dx.tensor(), dy_in.tensor(), w_in.tensor());
  run(gemm::prepare_conv_wgrad(g), dw.tensor(), x_in.tensor(), dy_in.tensor());
  CHECK((y.intact() && dx.intact() && dw.intact()));
  return {y.array(), dx.array(), dw.array()};
}

}  // namespace

TEST_CASE("conv_gemm: all passes by every instruction set", "[conv_gemm]") {
  for (const Problem& p : problems) {
    const Array x = random_array(p.x, -1, 1, 1), w = random_array(p.w, -1, 1, 2), dy = random_array(p.y(), -1, 1, 3);
    const Array y = conv_reference(x, w, random_array(vector_shape(p.w.n), -1, 1, 4), p.t);
    const Array dx = dgrad_reference(dy, w, p.x, p.t), dw = wgrad_reference(x, dy, p.w, p.t);
    INFO("x " << to_string(p.x) << ", w " << to_string(p.w));
    on_each_level([&] {
      for (const std::int64_t beside : {0, 5}) {
        const Results made = run_all(p, beside);
        CHECK(relative_distance(made.y, y) < 1e-6);
        CHECK(relative_distance(made.dx, dx) < 1e-6);
        CHECK(relative_distance(made.dw, dw) < 1e-6);
      }
    });
  }
}

TEST_CASE("conv_gemm: the same bits on any number of threads", "[conv_gemm]") {
  const int before = omp_get_max_threads();
  for (const Problem& p :
       {Problem{{2, 60, 61, 20}, {35, 1, 1, 20}, {1, 0, 1}}, Problem{{2, 48, 48, 9}, {24, 4, 4, 9}, {2, 1, 1}},
        Problem{{1, 9, 9, 70}, {140, 4, 4, 70}, {1, 1, 1}}})
    on_each_level([&] {
      omp_set_num_threads(1);
      const Results one = run_all(p, 0);
      for (const int threads : {2, 3}) {
        omp_set_num_threads(threads);
        const Results more = run_all(p, 0);
        CHECK(same_bits(one.y, more.y));
        CHECK(same_bits(one.dx, more.dx));
        CHECK(same_bits(one.dw, more.dw));
      }
    });
  omp_set_num_threads(before);
}

TEST_CASE("conv_gemm: activations, through which a NaN stays a NaN", "[conv_gemm]") {
  for (const Problem& p : {Problem{{1, 9, 11, 40}, {48, 1, 1, 40}, {1, 0, 1}},    // whole panels
                           Problem{{1, 12, 11, 21}, {19, 4, 4, 21}, {2, 1, 1}}})  // a sum in two parts
    for (const Activation a :
         {no_activation, relu_activation, leaky_relu_activation(0.2f), tanh_activation, sigmoid_activation})
      on_each_level([&] {
        Array x = random_array(p.x, -1, 1, 1);
        const Array w = random_array(p.w, -0.1, 0.1, 2), bias = random_array(vector_shape(p.w.n), -1, 1, 4);
        x.at(0, 4, 4, 3) = std::nan("");
        const Array wanted = map(conv_reference(x, w, bias, p.t), [&](double v) {
          return with_activation(a, [&](auto f) { return static_cast<double>(f.value(static_cast<float>(v))); });
        });
        Slice x_in(x, 0), w_in(w, 0), bias_in(bias, 0), y(p.y(), 0);
        run(gemm::prepare_conv(p.geometry(), true, a), y.tensor(), x_in.tensor(), w_in.tensor(), bias_in.tensor());
        const Array made = y.array();
        std::int64_t nans = 0;
        for (std::int64_t i = 0; i < made.size(); ++i) {
          REQUIRE(std::isnan(made[i]) == std::isnan(wanted[i]));
          if (std::isnan(made[i]))
            ++nans;
          else
            CHECK(made[i] == Approx(wanted[i]).margin(2e-6));
        }
        CHECK(nans > 0);
      });
}

TEST_CASE("conv_gemm: ReLU of minus infinity is 0", "[conv_gemm]") {
  const Problem p{{1, 2, 2, 8}, {8, 1, 1, 8}, {1, 0, 1}};
  Array x(p.x), w(p.w);
  for (std::int64_t i = 0; i < x.size(); ++i) x[i] = -INFINITY;
  for (std::int64_t i = 0; i < w.size(); ++i) w[i] = 1;
  on_each_level([&] {
    Slice x_in(x, 0), w_in(w, 0), y(p.y(), 0);
    run(gemm::prepare_conv(p.geometry(), false, relu_activation), y.tensor(), x_in.tensor(), w_in.tensor(), Tensor{});
    const Array made = y.array();
    for (std::int64_t i = 0; i < made.size(); ++i) CHECK(made[i] == 0);
  });
}

TEST_CASE("conv_gemm: a NaN reaches the gradients", "[conv_gemm]") {
  const Problem p{{2, 30, 31, 12}, {13, 1, 1, 12}, {1, 0, 1}};
  on_each_level([&] {
    Array dy = random_array(p.y(), -1, 1, 3);
    dy.at(1, 29, 30, 12) = std::nan("");  // the last pixel, and the last channel, which fills no register
    const Array x = random_array(p.x, -1, 1, 1), w = random_array(p.w, -1, 1, 2);
    Slice x_in(x, 0), dy_in(dy, 0), w_in(w, 0), dx(p.x, 0), dw(p.w, 0);
    run(gemm::prepare_conv_dgrad(p.geometry()), dx.tensor(), dy_in.tensor(), w_in.tensor());
    run(gemm::prepare_conv_wgrad(p.geometry()), dw.tensor(), x_in.tensor(), dy_in.tensor());
    const Array dx_made = dx.array(), dw_made = dw.array();
    for (std::int64_t c = 0; c < p.x.c; ++c) {
      CHECK(std::isnan(dx_made.at(1, 29, 30, c)));
      CHECK(!std::isnan(dx_made.at(1, 29, 29, c)));
      CHECK(std::isnan(dw_made.at(12, 0, 0, c)));
      CHECK(!std::isnan(dw_made.at(11, 0, 0, c)));
    }
  });
}
