// What rewrites ask of the pointwise ops.
#pragma once

#include "graph/op.h"

namespace ipa {

bool is_addition(const Op& op);  // a + b

}  // namespace ipa
