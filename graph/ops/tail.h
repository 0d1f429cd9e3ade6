// What rewrites ask of the fused tails.
#pragma once

#include <vector>

#include "graph/op.h"

namespace ipa {

// Which inputs the tail `op` in training mode takes the statistics of as they are: the shortcut, then the branch if it
// is one tensor. Behind all its inputs it takes, in this order, the sums of each (kernels/channel_sums.h) or none, and
// then need not read that input for them. Empty: `op` is no such tail.
std::vector<int> tail_summed_inputs(const Op& op);

}  // namespace ipa
