// Batch norm in two ops, for rewrites.
#pragma once

#include <optional>

#include "graph/op.h"

namespace ipa {

struct BatchNormHalves {
  OpPtr statistics;  // sums of x and x^2 (kernels/channel_sums.h), running mean, running variance -> mean, invstd
  OpPtr map;         // x, mean, invstd, gamma or none, beta -> y
};
// Of `op` on inputs `in`; none if it is not a batch norm in training mode.
std::optional<BatchNormHalves> batch_norm_halves(const Op& op, Specs in);

}  // namespace ipa
