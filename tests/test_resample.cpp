#include "tests/support/max_pool_edges.h"

TEST_CASE("max_pool2: ties, NaN and writing in place") { ipa::test::check_max_pool_edges({}, ipa::DType::f32); }
