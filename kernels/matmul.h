// Batched products of packed row-major fp32 matrices.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "engine/stream.h"

namespace ipa {

// For each of `batch`: c (m,n) = alpha a b, with a (m,k), or (k,m) where `transpose_a`, and b (k,n).
// FLOPs: 2 batch m n k. The order of its sums depends on the number of OpenMP threads at the time of preparation.
struct MatmulGeometry {
  std::int64_t batch, m, n, k;
  bool transpose_a = false;
  float alpha = 1;
};

struct PreparedMatmul {
  std::function<void(Stream&, float* c, const float* a, const float* b, void* workspace)> run;
  std::size_t workspace_bytes = 0;
};

PreparedMatmul prepare_matmul(const MatmulGeometry& g);

}  // namespace ipa
