// <x, w> as a scalar, so that grad() has a loss for an op with any outputs.
#pragma once

#include "graph/graph.h"

namespace ipa::test {

Value dot(Value x, Value weights);

}  // namespace ipa::test
