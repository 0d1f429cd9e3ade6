// gpu.h's wrappers under nvcc. Included by gpu.h only.
#pragma once

#include "kernels/gpu.h"

namespace ipa {

template <class T>
__device__ inline T* shared_memory() {
  extern __shared__ __align__(16) unsigned char ipa_shared_bytes[];
  return reinterpret_cast<T*>(ipa_shared_bytes);
}

__device__ __forceinline__ Vector16 load_vector(const void* p, Site) {
  const uint4 v = *static_cast<const uint4*>(p);
  return {{v.x, v.y, v.z, v.w}};
}

__device__ __forceinline__ void store_vector(void* p, const Vector16& v, Site) {
  *static_cast<uint4*>(p) = make_uint4(v.word[0], v.word[1], v.word[2], v.word[3]);
}

template <class T>
__device__ inline T shuffle_xor(T value, int mask, Site) {
  return __shfl_xor_sync(0xffffffffu, value, mask);
}

template <class T>
__device__ inline T shuffle_down(T value, unsigned delta, Site) {
  return __shfl_down_sync(0xffffffffu, value, delta);
}

template <class T>
__device__ __forceinline__ const T* reread(const T* p) {
  asm volatile("" : "+l"(p));
  return p;
}

__device__ __forceinline__ void mma_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                                             Site) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

namespace detail {
__device__ __forceinline__ std::uint32_t shared_address(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}
}  // namespace detail

__device__ __forceinline__ void ldmatrix_x4(std::uint32_t (&word)[4], const void* row, Site) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(word[0]), "=r"(word[1]), "=r"(word[2]), "=r"(word[3])
               : "r"(detail::shared_address(row))
               : "memory");
}

__device__ __forceinline__ void ldmatrix_x4_trans(std::uint32_t (&word)[4], const void* row, Site) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(word[0]), "=r"(word[1]), "=r"(word[2]), "=r"(word[3])
               : "r"(detail::shared_address(row))
               : "memory");
}

__device__ __forceinline__ void copy_async16(void* to_shared, const void* from, Site) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(detail::shared_address(to_shared)),
               "l"(__cvta_generic_to_global(from))
               : "memory");
}

__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

template <int N>
__device__ inline void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

}  // namespace ipa
