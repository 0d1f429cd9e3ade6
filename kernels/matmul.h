// Batched products of packed row-major matrices of one type, fp32 or, on CUDA, bf16; sums in fp32. Each is prepared
// once and then run without creating anything: on the CPU by oneDNN, on CUDA by cuBLASLt (matmul_cublas.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "engine/stream.h"
#include "engine/tensor.h"

namespace ipa {

// For each of `batch`: c (m,n) = alpha a b, with a (m,k), or (k,m) where `transpose_a`, and b (k,n). On CUDA every
// matrix must lie at a multiple of 16 bytes. FLOPs: 2 batch m n k; bytes: every matrix once (16 times 65536 x 64 by 64
// x 64 in bf16: 268 MB, 0.06 ms on an H200 at 4.3 TB/s).
struct MatmulGeometry {
  std::int64_t batch, m, n, k;
  bool transpose_a = false;
  float alpha = 1;
};

struct PreparedMatmul {
  std::function<void(Stream&, void* c, const void* a, const void* b, void* workspace)> run;
  std::size_t workspace_bytes = 0;
  std::function<void(Stream&)> ready = {};  // where it is there: slow, to be called once before the first run
};

// What each is given on CUDA, in plans of every build: without split sums hardly any is wanted.
constexpr std::size_t matmul_workspace_limit = std::size_t{4} << 20;

// The same bits in every run; on the CPU for one number of OpenMP threads at the time of preparation, on CUDA for one
// kind of GPU and version of cuBLASLt.
PreparedMatmul prepare_matmul(Device device, const MatmulGeometry& g, DType dtype);

// The backends.
namespace onednn {
PreparedMatmul prepare_matmul(const MatmulGeometry& g);  // fp32
}
namespace cuda {
PreparedMatmul prepare_matmul(const MatmulGeometry& g, DType dtype);
}

}  // namespace ipa
