// What this machine can do at most, measured in the same run as what is compared with it.
#pragma once

#include <algorithm>

#include "graph/op.h"

namespace ipa::bench {

struct Roof {
  double copy_gb_s;  // bytes read and bytes written while copying far more than the caches hold
  double gflop_s;    // single-precision fused multiply-adds on registers, two FLOPs each

  // The least time that work can take: that of its bytes or of its FLOPs, whichever is longer. Bytes that lie in a
  // cache may take less.
  double least_seconds(const Cost& cost) const {
    return std::max(cost.bytes * 1e-9 / copy_gb_s, cost.flops * 1e-9 / gflop_s);
  }
};

Roof measure_roof();  // on OpenMP's team, the best of a few tries; about a second

}  // namespace ipa::bench
