// Starts kernels. Only device code (.cu, through kernels/gpu.h) includes this.
#pragma once

#include "engine/cuda/check.h"
#include "engine/cuda/stream.h"

namespace ipa {

// Enqueues kernel(arguments...) over `grid` blocks of `block` threads with `shared_bytes` of dynamic shared memory.
template <class... P, class... A>
void launch(Stream& stream, dim3 grid, dim3 block, std::size_t shared_bytes, void (*kernel)(P...), A&&... arguments) {
  constexpr std::size_t without_asking = 48 * 1024;
  if (shared_bytes > without_asking)
    cuda::check(
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)),
        "launch: shared memory");
  kernel<<<grid, block, shared_bytes, cuda::native(stream)>>>(static_cast<P>(arguments)...);
  cuda::check(cudaGetLastError(), "launch");
}

}  // namespace ipa
