// <x, w> as a scalar, so that grad() has a loss for an op with any outputs.
#pragma once

#include "graph/ops.h"

namespace ipa::test {

Value dot(Value x, Value weights);

// The sum of all elements.
inline Value sum(Value x) { return dot(x, constant(*x.graph, x.spec(), 1)); }

}  // namespace ipa::test
