// What a machine can do at most: measured in the same run as what is compared with it, or described, to predict.
#pragma once

#include <algorithm>
#include <string>

#include "engine/device.h"
#include "graph/op.h"

namespace ipa::bench {

struct Roof {
  double copy_gb_s;  // bytes read and bytes written while copying far more than the caches hold
  double gflop_s;    // on the CPU single-precision fused multiply-adds on registers, on CUDA a large product of bf16
                     // matrices; two FLOPs each
  std::string name = "measured in this run";

  // The least time that work can take: that of its bytes or of its FLOPs, whichever is longer. Bytes that lie in a
  // cache may take less.
  double least_seconds(const Cost& cost) const {
    return std::max(cost.bytes * 1e-9 / copy_gb_s, cost.flops * 1e-9 / gflop_s);
  }
};

// About a second. On the CPU on OpenMP's team, on CUDA by our copy of one tensor into another (kernels/concat.h) and
// cuBLASLt's product; the best of a few tries.
Roof measure_roof(Device device);

// "h200", or "GB/s,GFLOP/s" as in "24,221". Throws ErrorKind::usage.
Roof roof_of(const std::string& text);

}  // namespace ipa::bench
