// What this machine can do at most, measured in the same run as what is compared with it.
#pragma once

namespace ipa::bench {

struct Roof {
  double copy_gb_s;  // bytes read and bytes written while copying far more than the caches hold
  double gflop_s;    // single-precision fused multiply-adds on registers, two FLOPs each
};

Roof measure_roof();  // on OpenMP's team, the best of a few tries; about a second

}  // namespace ipa::bench
