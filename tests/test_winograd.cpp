// Winograd convolutions against the definition in double: every instruction set that this CPU has, sizes that are no
// multiple of anything, slices, all fusions.
#include <omp.h>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "engine/buffer.h"
#include "kernels/winograd.h"
#include "tests/support/conv_reference.h"
#include "tests/support/simd_levels.h"
#include "tests/support/slice.h"
#include "tests/support/winograd_case.h"

using namespace ipa;
using namespace ipa::test;

namespace {

constexpr ConvAttributes same_size{1, 1, 1};
using Case = WinogradCase<winograd::Options>;

struct Inputs {
  Array x, w, x_scale, x_shift, y_scale, y_shift, added;

  explicit Inputs(const Case& c) {
    const bool backward = c.options.backward_data;
    const Shape in = backward ? c.y() : c.x, out = backward ? c.x : c.y();
    x = random_array(in, -1, 1, 1), w = random_array(c.w(), -1, 1, 2);
    x_scale = random_array(vector_shape(in.c), -2, 2, 3), x_shift = random_array(vector_shape(in.c), -1, 1, 4);
    y_scale = random_array(vector_shape(out.c), -2, 2, 5), y_shift = random_array(vector_shape(out.c), -9, 9, 6);
    added = random_array(out, -9, 9, 7);
  }
};

double rectified(double v, bool on, double slope) { return on && v < 0 ? slope * v : v; }

Array reference(const Case& c, const Inputs& in) {
  const winograd::Options& o = c.options;
  Array x = in.x;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    if (o.input_affine) x[i] = x[i] * in.x_scale[i % x.shape.c] + in.x_shift[i % x.shape.c];
    x[i] = rectified(x[i], o.input_relu, 0);
  }
  Array y = o.backward_data ? dgrad_reference(x, in.w, c.x, same_size)
                            : conv_reference(x, in.w, Array(vector_shape(c.out)), same_size);
  for (std::int64_t i = 0; i < y.size(); ++i) {
    if (o.output_scale) y[i] *= in.y_scale[i % y.shape.c];
    if (o.output_shift) y[i] += in.y_shift[i % y.shape.c];
    if (o.add) y[i] += in.added[i];
    y[i] = rectified(y[i], o.activation.kind != Activation::Kind::none, static_cast<double>(o.activation.slope));
  }
  return y;
}

Array run(const Case& c, const Inputs& in) {
  const Shape out = c.options.backward_data ? c.x : c.y();
  Slice x(in.x, c.beside), y(out, c.beside), added(in.added, c.beside), w(in.w, 0);
  Slice x_scale(in.x_scale, 0), x_shift(in.x_shift, 0), y_scale(in.y_scale, 0), y_shift(in.y_shift, 0);
  const auto prepared = winograd::prepare(c.geometry(), c.options);
  Buffer workspace("workspace", prepared.workspace_bytes + 64);
  std::memset(workspace.data(), 0xff, workspace.bytes());  // NaN: what is read must have been written
  auto* const guard = static_cast<unsigned char*>(workspace.data()) + prepared.workspace_bytes;
  Stream stream;
  prepared.run(stream,
               {y.tensor(), x.tensor(), w.tensor(), x_scale.tensor(), x_shift.tensor(), y_scale.tensor(),
                y_shift.tensor(), added.tensor()},
               workspace.data());
  CHECK(y.intact());
  CHECK(std::all_of(guard, guard + 64, [](unsigned char byte) { return byte == 0xff; }));
  return y.array();
}

void check(const Case& c) {
  INFO(to_string(c.x) << " to " << c.out << ", backward " << c.options.backward_data << ", beside " << c.beside);
  const Inputs in(c);
  const Array expected = reference(c, in);
  on_each_level([&] { CHECK(relative_distance(run(c, in), expected) < 2e-6); });
}

}  // namespace

TEST_CASE("winograd: any size, any number of channels, forward and backward-data", "[winograd]") {
  for (const bool backward : {false, true})
    for (const std::int64_t beside : {0, 5, 40})
      for (const auto& [x, out] : std::vector<std::pair<Shape, std::int64_t>>{{{1, 1, 1, 3}, 5},
                                                                              {{1, 2, 9, 1}, 1},
                                                                              {{2, 13, 19, 8}, 17},
                                                                              {{1, 30, 21, 17}, 26},
                                                                              {{3, 7, 5, 51}, 32},
                                                                              {{1, 9, 10, 48}, 40},
                                                                              {{2, 3, 33, 26}, 51},
                                                                              {{1, 8, 8, 5}, 70},
                                                                              {{1, 4, 64, 35}, 131}})
        check({x, out, {.backward_data = backward}, beside});
}

TEST_CASE("winograd: every fusion", "[winograd]") {
  for (int bits = 0; bits < 64; ++bits)
    for (const Activation a : {no_activation, relu_activation, leaky_relu_activation(0.2f)}) {
      auto bit = [bits](int i) { return (bits >> i & 1) != 0; };
      check({{1, 9, 11, 19}, 21, {bit(0), bit(1), bit(2), bit(3), bit(4), bit(5), a}, bit(0) ? 3 : 0});
    }
}

TEST_CASE("winograd: accuracy", "[winograd]") {
  for (const auto& [channels, bound] : std::vector<std::pair<std::int64_t, double>>{{32, 1e-6}, {256, 2e-6}}) {
    const Case c{{1, 12, 13, channels}, channels};
    const Inputs in(c);
    const Array expected = reference(c, in);
    on_each_level([&, &bound_of = bound] { CHECK(relative_distance(run(c, in), expected) < bound_of); });
  }
}

TEST_CASE("winograd: the same bits on any number of threads", "[winograd]") {
  const int before = omp_get_max_threads();
  for (const bool backward : {false, true}) {
    const Case c{{2, 37, 41, 26}, 51, {.backward_data = backward, .input_affine = true, .input_relu = true}, 3};
    const Inputs in(c);
    on_each_level([&] {
      omp_set_num_threads(1);
      const Array one = run(c, in);
      for (const int threads : {2, 3}) {
        omp_set_num_threads(threads);
        CHECK(same_bits(run(c, in), one));
      }
    });
  }
  omp_set_num_threads(before);
}

TEST_CASE("winograd: fewer or more threads than there were at preparation", "[winograd]") {
  const int before = omp_get_max_threads();
  const Case c{{1, 33, 31, 9}, 12};
  const Inputs in(c);
  Slice x(in.x, 0), w(in.w, 0), y(c.y(), 0);
  omp_set_num_threads(2);
  const auto prepared = winograd::prepare(c.geometry(), {});
  Buffer workspace("workspace", prepared.workspace_bytes);
  for (const int threads : {1, 2, 4}) {
    omp_set_num_threads(threads);
    Stream stream;
    prepared.run(stream, {.y = y.tensor(), .x = x.tensor(), .w = w.tensor()}, workspace.data());
    CHECK(relative_distance(y.array(), reference(c, in)) < 2e-6);
  }
  omp_set_num_threads(before);
}

// All pixels that the definition would make a NaN are; others may be where they share a tile with one.
TEST_CASE("winograd: a NaN stays a NaN through ReLU before and after", "[winograd]") {
  for (const Activation a : {no_activation, relu_activation, leaky_relu_activation(0.2f)})
    for (const bool input_relu : {false, true}) {
      const Case c{{1, 12, 12, 20}, 27, {.input_affine = input_relu, .input_relu = input_relu, .activation = a}};
      Inputs in(c);
      in.x.at(0, 5, 6, 18) = std::nan("");
      on_each_level([&] {
        const Array y = run(c, in);
        for (std::int64_t i = 0; i < 12; ++i)
          for (std::int64_t j = 0; j < 12; ++j)
            for (std::int64_t o = 0; o < 27; ++o) {
              const bool must = std::abs(i - 5) <= 1 && std::abs(j - 6) <= 1, may = i / 4 == 1 && j / 4 == 1;
              if (must || !may) CHECK(std::isnan(y.at(0, i, j, o)) == must);
            }
      });
    }
}

TEST_CASE("winograd: the output may be the tensor that is added", "[winograd]") {
  const Case c{{1, 10, 9, 16}, 16, {.add = true}};
  const Inputs in(c);
  Slice x(in.x, 0), w(in.w, 0), y(in.added, 0);
  const auto prepared = winograd::prepare(c.geometry(), c.options);
  Buffer workspace("workspace", prepared.workspace_bytes);
  Stream stream;
  prepared.run(stream, {.y = y.tensor(), .x = x.tensor(), .w = w.tensor(), .added = y.tensor()}, workspace.data());
  CHECK(relative_distance(y.array(), reference(c, in)) < 2e-6);
}
