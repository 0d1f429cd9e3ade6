// Which nodes begin and end the exchange of gradients between ranks, for tables and simulations of a step.
#pragma once

#include "graph/op.h"

namespace ipa {

bool starts_all_reduce(const Op& op);  // of its first input, a state
bool finishes_all_reduce(const Op& op);

}  // namespace ipa
