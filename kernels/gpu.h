// The one header of device code: CUDA's own names under nvcc, the emulator's (kernels/emulation) elsewhere, and for
// both the few wrappers below. Kernels that are to run in both
//  - take all shared memory from shared_memory() and start through launch(); no <<<>>>, no __shared__, no inline PTX;
//  - read and write 16 bytes by load_vector() and store_vector(), never through a cast pointer of another type;
//  - use warp collectives with all 32 lanes only, and let no thread return before a barrier or collective of its block.
// The last parameter, the place of the call, is the emulator's, for its reports; callers leave it out.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/bf16.h"
#include "engine/host_device.h"
#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include "engine/cuda/launch.h"
namespace ipa {
struct Site {};
}  // namespace ipa
#elif defined(IPA_EMULATION)
#include "kernels/emulation/device.h"
#include "kernels/emulation/launch.h"
namespace ipa {
using emulation::Site;
}  // namespace ipa
#else
#error "device code is compiled by nvcc or with the emulator"
#endif

// Before a loop: how often nvcc may unroll it, where more would cost too many registers.
#ifdef __CUDACC__
#define IPA_PRAGMA(text) _Pragma(#text)
#define IPA_UNROLL(times) IPA_PRAGMA(unroll times)
#else
#define IPA_UNROLL(times)
#endif

namespace ipa {

// The block's dynamic shared memory, 16-byte aligned; its content is undefined at first.
template <class T>
__device__ T* shared_memory();

// 16 bytes moved by one instruction; `p` must be 16-byte aligned.
struct alignas(16) Vector16 {
  std::uint32_t word[4];
};
__device__ Vector16 load_vector(const void* p, Site site = {});
__device__ void store_vector(void* p, const Vector16& v, Site site = {});

// The value of lane (own ^ mask), or of lane (own + delta), the own one where that is above 31. T of 4 or 8 bytes.
template <class T>
__device__ T shuffle_xor(T value, int mask, Site site = {});
template <class T>
__device__ T shuffle_down(T value, unsigned delta, Site site = {});

// p, of which the compiler knows nothing any more: what a loop reads through it is read anew in each turn, from the L1
// cache, and holds no registers in between.
template <class T>
__device__ const T* reread(const T* p);

// The sum over the warp, in all lanes, the same bits in each: pairs at distance 16, 8, 4, 2, 1.
__device__ float warp_sum(float value, Site site = {});

// D += A B with D (16, 8) float, A (16, 16) and B (16, 8) bf16 over one warp: mma.sync.aligned.m16n8k16.row.col. With
// g = lane / 4 and t = lane % 4, a lane holds (the lower index in a word's lower half)
//   a[0] = A[g][2t, 2t+1]      a[1] = A[g+8][2t, 2t+1]      a[2] = A[g][2t+8, 2t+9]     a[3] = A[g+8][2t+8, 2t+9]
//   b[0] = B[2t, 2t+1][g]      b[1] = B[2t+8, 2t+9][g]
//   d[0, 1] = D[g][2t, 2t+1]   d[2, 3] = D[g+8][2t, 2t+1]
// Source: PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type".
__device__ void mma_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], Site site = {});

// Four 8x8 matrices of 16-bit elements from shared memory: lane 8i+r gives the address of row r of matrix i (16 bytes,
// 16-byte aligned). A lane gets word[i] = M_i[g][2t, 2t+1], transposed M_i[2t, 2t+1][g]. For A above: matrices (rows
// 0-7, k 0-7), (rows 8-15, k 0-7), (rows 0-7, k 8-15), (rows 8-15, k 8-15).
__device__ void ldmatrix_x4(std::uint32_t (&word)[4], const void* row, Site site = {});
__device__ void ldmatrix_x4_trans(std::uint32_t (&word)[4], const void* row, Site site = {});

// cp.async of 16 aligned bytes from global to shared memory. The copies since the last commit form a group;
// wait_copies<N> returns when at most the N latest groups of this thread are under way. Other threads see the copies
// after a barrier that follows the wait. (The emulator copies only at the wait.)
__device__ void copy_async16(void* to_shared, const void* from, Site site = {});
__device__ void commit_copies();
template <int N>
__device__ void wait_copies();

}  // namespace ipa

#ifdef __CUDACC__
#include "kernels/gpu_ptx.h"
#else
#include "kernels/emulation/wrappers.h"
#endif

namespace ipa {

__device__ __forceinline__ float warp_sum(float value, Site site) {
  for (int mask = 16; mask > 0; mask /= 2) value += shuffle_xor(value, mask, site);
  return value;
}

}  // namespace ipa
