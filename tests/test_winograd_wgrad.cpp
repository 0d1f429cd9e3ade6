// The Winograd weight gradient against the definition in double: every instruction set that this CPU has, both ways of
// dividing the work, sizes that are no multiple of anything, slices, the prologue.
#include <omp.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "engine/buffer.h"
#include "kernels/winograd_wgrad.h"
#include "tests/support/conv_reference.h"
#include "tests/support/simd_levels.h"
#include "tests/support/slice.h"
#include "tests/support/winograd_case.h"

using namespace ipa;
using namespace ipa::test;

namespace {

using Case = WinogradCase<winograd::WgradOptions>;

struct Inputs {
  Array x, dy, scale, shift;

  explicit Inputs(const Case& c)
      : x(random_array(c.x, -1, 1, 1)),
        dy(random_array(c.y(), -1, 1, 2)),
        scale(random_array(vector_shape(c.x.c), -2, 2, 3)),
        shift(random_array(vector_shape(c.x.c), -1, 1, 4)) {}
};

Array reference(const Case& c, const Inputs& in) {
  Array x = in.x;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    if (c.options.input_affine) x[i] = x[i] * in.scale[i % x.shape.c] + in.shift[i % x.shape.c];
    if (c.options.input_relu && x[i] < 0) x[i] = 0;
  }
  return wgrad_reference(x, in.dy, c.w(), {1, 1, 1});
}

// A prepared gradient with its operands and a workspace of NaNs: what is read of it must have been written.
class Gradient {
 public:
  Gradient(const Case& c, const Inputs& in)
      : x_(in.x, c.beside),
        dy_(in.dy, c.beside),
        scale_(in.scale, 0),
        shift_(in.shift, 0),
        dw_(c.w(), 0),
        prepared_(winograd::prepare_wgrad(c.geometry(), c.options)),
        workspace_("workspace", prepared_.workspace_bytes + guard) {
    std::memset(workspace_.data(), 0xff, workspace_.bytes());
  }

  Array run() {
    Stream stream;
    prepared_.run(stream, {dw_.tensor(), x_.tensor(), dy_.tensor(), scale_.tensor(), shift_.tensor()},
                  workspace_.data());
    CHECK(dw_.intact());
    const auto* const behind = static_cast<unsigned char*>(workspace_.data()) + prepared_.workspace_bytes;
    CHECK(std::all_of(behind, behind + guard, [](unsigned char byte) { return byte == 0xff; }));
    return dw_.array();
  }

 private:
  static constexpr std::size_t guard = 64;
  Slice x_, dy_, scale_, shift_, dw_;
  PreparedConv<winograd::WgradOperands> prepared_;
  Buffer workspace_;
};

Array run(const Case& c, const Inputs& in) { return Gradient(c, in).run(); }

const Case many_tiles{{2, 37, 161, 9}, 12, {}, 3};  // work divided by ranges of tiles: 820 of them
const Case many_weights{{6, 27, 25, 131}, 117};     // by blocks of weights, in two chunks of 147 tiles

}  // namespace

TEST_CASE("winograd wgrad: any size, any number of channels", "[winograd]") {
  for (const std::int64_t beside : {0, 5, 40})
    for (const auto& [x, out] : std::vector<std::pair<Shape, std::int64_t>>{{{1, 1, 1, 3}, 5},
                                                                            {{1, 2, 9, 1}, 1},
                                                                            {{2, 13, 19, 8}, 17},
                                                                            {{1, 30, 21, 17}, 26},
                                                                            {{3, 7, 5, 51}, 32},
                                                                            {{2, 3, 33, 26}, 51},
                                                                            {{1, 8, 8, 70}, 5},
                                                                            {{1, 4, 64, 35}, 131},
                                                                            {{2, 70, 66, 3}, 10},
                                                                            {{1, 66, 70, 40}, 11}}) {
      const Case c{x, out, {}, beside};
      INFO(to_string(x) << " to " << out << ", beside " << beside);
      const Inputs in(c);
      const Array expected = reference(c, in);
      on_each_level([&] { CHECK(relative_distance(run(c, in), expected) < 2e-6); });
    }
}

TEST_CASE("winograd wgrad: scale, shift and ReLU on the input, padding stays 0", "[winograd]") {
  for (const bool affine : {false, true})
    for (const bool relu : {false, true})
      for (Case c : {many_tiles, many_weights, Case{{1, 9, 11, 19}, 21, {}, 3}}) {
        c.options = {affine, relu};
        const Inputs in(c);
        const Array expected = reference(c, in);
        on_each_level([&] { CHECK(relative_distance(run(c, in), expected) < 2e-6); });
      }
}

TEST_CASE("winograd wgrad: the same bits on any number of threads and in every run", "[winograd]") {
  const int before = omp_get_max_threads();
  for (const Case& c : {many_tiles, many_weights}) {
    const Inputs in(c);
    on_each_level([&] {
      omp_set_num_threads(1);
      const Array one = run(c, in);
      for (const int threads : {2, 3}) {
        omp_set_num_threads(threads);
        Gradient gradient(c, in);
        for (int i = 0; i < 3; ++i) CHECK(same_bits(gradient.run(), one));
      }
    });
  }
  omp_set_num_threads(before);
}

TEST_CASE("winograd wgrad: fewer or more threads than there were at preparation", "[winograd]") {
  const int before = omp_get_max_threads();
  for (const Case& c : {many_tiles, many_weights}) {
    const Inputs in(c);
    omp_set_num_threads(2);
    Gradient gradient(c, in);
    const Array two = gradient.run();
    for (const int threads : {1, 4}) {
      omp_set_num_threads(threads);
      CHECK(same_bits(gradient.run(), two));
    }
  }
  omp_set_num_threads(before);
}

// A NaN reaches every tap that the definition would make one, and only its own channel.
TEST_CASE("winograd wgrad: a NaN stays a NaN", "[winograd]") {
  for (const bool prologue : {false, true})
    for (Case c : {many_tiles, many_weights}) {
      c.options = {prologue, prologue};
      const std::int64_t in_channel = c.x.c - 2, out_channel = c.out - 3;
      for (const bool in_x : {true, false}) {
        Inputs in(c);
        (in_x ? in.x.at(0, 5, 6, in_channel) : in.dy.at(0, 5, 6, out_channel)) = std::nan("");
        on_each_level([&] {
          const Array dw = run(c, in);
          bool right = true;
          for (std::int64_t o = 0; o < c.out; ++o)
            for (std::int64_t tap = 0; tap < 9; ++tap)
              for (std::int64_t i = 0; i < c.x.c; ++i)
                right &= std::isnan(dw.at(o, tap / 3, tap % 3, i)) == (in_x ? i == in_channel : o == out_channel);
          CHECK(right);
        });
      }
    }
}
