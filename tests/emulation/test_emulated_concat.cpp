// Concatenations and slices in place on the device: every bit as with copies.
#include <catch2/catch.hpp>
#include <cmath>

#include "tests/support/device_under_test.h"
#include "tests/support/joined_case.h"

using namespace ipa;
using namespace ipa::test;

namespace {

constexpr Rewrites wanted{.concat_in_place = true};

}  // namespace

TEST_CASE("a decoder's join has the same bits as with copies, on the device") {
  const DType activations = GENERATE(DType::bf16, DType::f32);
  const std::vector<Join> joins{{{2, 6, 10, 0}, 32, 24},
                                {{1, 12, 14, 0}, 8, 17},
                                {{1, 6, 4, 0}, 16, 2048, false},
                                {{1, 34, 36, 0}, 8, 8, true, true},
                                {{1, 6, 4, 0}, 21, 16, false, true}};
  for (const Join& j : joins) {
    INFO(to_string(j.whole) << ", " << j.up << " and " << j.skip);
    const OpCase c = joined_case(j);
    const std::vector<Array> inputs = case_inputs(c, 3, activations);
    RunOptions options{.device = device_under_test, .activations = activations};
    const CaseResult copied = run_case(c, inputs, !j.folded, 3, options);
    options.rewrites = wanted;
    for (const unsigned schedule : {0, 1}) {
      set_schedule(schedule);
      const CaseResult in_place = run_case(c, inputs, !j.folded, 3, options);
      CHECK(in_place.rewritten == (j.folded ? 1 : 2));  // the concatenation, and what the tail's gradient reads
      CHECK(in_place.guards_intact);
      CHECK(in_place.padding_zero);
      CHECK(same_bits(in_place, copied));
    }
    set_schedule(0);
  }
}

TEST_CASE("sums of a slice have the bits of those of a copy, on the device") {
  const OpCase c{
      .name = "sums", .inputs = {{.shape = {2, 31, 23, 43}}}, .build = [](Graph&, const std::vector<Value>& in) {
        return std::vector{sum_pixels(slice_channels(in[0], 0, 16)), sum_pixels(slice_channels(in[0], 16, 27))};
      }};
  const std::vector<Array> inputs = case_inputs(c, 3, DType::bf16);
  RunOptions options{.device = device_under_test, .activations = DType::bf16};
  const CaseResult copied = run_case(c, inputs, false, 3, options);
  options.rewrites = wanted;
  const CaseResult in_place = run_case(c, inputs, false, 3, options);
  CHECK(in_place.rewritten == 2);
  CHECK(in_place.padding_zero);
  CHECK(same_bits(in_place, copied));
}

TEST_CASE("the generator in inference gives the same bits with joins in place, on the device") {
  const NetOptions options{.width = 8};
  const Shape image{1, 32, 48, 1};
  CHECK(inpainted(device_under_test, DType::bf16, options, image, wanted) ==
        inpainted(device_under_test, DType::bf16, options, image, {}));
}
