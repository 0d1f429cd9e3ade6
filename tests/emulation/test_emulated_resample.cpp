#include "tests/support/max_pool_edges.h"

using namespace ipa;

TEST_CASE("max_pool2's device code: ties, NaN and writing in place, fp32") {
  test::check_max_pool_edges({Device::Kind::cuda, 0}, DType::f32);
}

TEST_CASE("max_pool2's device code: ties, NaN and writing in place, bf16") {
  test::check_max_pool_edges({Device::Kind::cuda, 0}, DType::bf16);
}
