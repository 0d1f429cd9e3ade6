// Vectors of floats for kernels/*_simd.cpp (see simd_level.h): 16 lanes with AVX-512, 8 with AVX2, else 4, by the
// vector types of GCC and Clang. Their operators work lane by lane, and with a scalar on one side: a * v + w is one
// fused multiply-add where the CPU has it. Intrinsics only for masks.
#pragma once

#ifndef IPA_SIMD
#error "only for kernels/*_simd.cpp, which CMake compiles once per instruction set"
#endif

#include <cstdint>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#define IPA_INLINE inline __attribute__((always_inline))
#ifdef __clang__
#define IPA_UNROLL _Pragma("unroll")
#else
#define IPA_UNROLL _Pragma("GCC unroll 16")
#endif

namespace ipa::IPA_SIMD {
namespace {

#if defined(__AVX512F__)
constexpr int lanes = 16;
constexpr int tile_rows = 14;  // of a register tile of two columns: 28 sums and their operands fill 32 registers
#elif defined(__AVX2__)
constexpr int lanes = 8, tile_rows = 6;  // 12 of 16 registers
#else
constexpr int lanes = 4, tile_rows = 6;
#endif

typedef float Vec __attribute__((vector_size(4 * lanes)));
typedef float HalfVec __attribute__((vector_size(2 * lanes)));  // for the last channels, where a whole would be wasted

template <class V>
constexpr int lanes_of = static_cast<int>(sizeof(V) / sizeof(float));

template <class V>
IPA_INLINE V load(const float* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <class V>
IPA_INLINE void store(float* p, V v) {
  __builtin_memcpy(p, &v, sizeof v);
}
template <class V>
IPA_INLINE V broadcast(float s) {
  return s - V{};  // and not s + V{}, which would turn -0 into 0
}

// Instead of std::min and std::max, which instruction sets would share (see simd_level.h).
IPA_INLINE std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
IPA_INLINE std::int64_t larger(std::int64_t a, std::int64_t b) { return a > b ? a : b; }
constexpr std::int64_t divide_up(std::int64_t n, std::int64_t d) { return (n + d - 1) / d; }

// The first `count` lanes (none where count <= 0, all where it is large); memory behind the others is not touched.
struct Mask {
#if defined(__AVX512F__)
  __mmask16 bits;
#elif defined(__AVX2__)
  __m256i bits;
#else
  std::int64_t count;
#endif
};

IPA_INLINE Mask first_lanes(std::int64_t count) {
  const int n = count <= 0 ? 0 : count >= lanes ? lanes : static_cast<int>(count);
#if defined(__AVX512F__)
  return {static_cast<__mmask16>((1u << n) - 1)};
#elif defined(__AVX2__)
  return {_mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))};
#else
  return {n};
#endif
}

template <class V>
IPA_INLINE V load(const float* p, Mask m) {  // 0 in the other lanes
#if defined(__AVX512F__)
  if constexpr (lanes_of<V> == lanes)
    return _mm512_maskz_loadu_ps(m.bits, p);
  else
    return _mm256_maskz_loadu_ps(static_cast<__mmask8>(m.bits), p);
#elif defined(__AVX2__)
  if constexpr (lanes_of<V> == lanes)
    return _mm256_maskload_ps(p, m.bits);
  else
    return _mm_maskload_ps(p, _mm256_castsi256_si128(m.bits));
#else
  if (m.count >= lanes_of<V>) return load<V>(p);
  V v{};
  for (int i = 0; i < m.count; ++i) v[i] = p[i];
  return v;
#endif
}

template <class V>
IPA_INLINE void store(float* p, V v, Mask m) {
#if defined(__AVX512F__)
  if constexpr (lanes_of<V> == lanes)
    _mm512_mask_storeu_ps(p, m.bits, v);
  else
    _mm256_mask_storeu_ps(p, static_cast<__mmask8>(m.bits), v);
#elif defined(__AVX2__)
  if constexpr (lanes_of<V> == lanes)
    _mm256_maskstore_ps(p, m.bits, v);
  else
    _mm_maskstore_ps(p, _mm256_castsi256_si128(m.bits), v);
#else
  if (m.count >= lanes_of<V>) return store<V>(p, v);
  for (int i = 0; i < m.count; ++i) p[i] = v[i];
#endif
}

template <class V>
IPA_INLINE V keep(V v, Mask m) {  // the other lanes become 0
#if defined(__AVX512F__)
  if constexpr (lanes_of<V> == lanes)
    return _mm512_maskz_mov_ps(m.bits, v);
  else
    return _mm256_maskz_mov_ps(static_cast<__mmask8>(m.bits), v);
#elif defined(__AVX2__)
  if constexpr (lanes_of<V> == lanes)
    return _mm256_and_ps(v, _mm256_castsi256_ps(m.bits));
  else
    return _mm_and_ps(v, _mm_castsi128_ps(_mm256_castsi256_si128(m.bits)));
#else
  for (int i = 0; i < lanes_of<V>; ++i) v[i] = i < m.count ? v[i] : 0;
  return v;
#endif
}

// The lanes of a and b by turns: those of their lower halves, those of their upper halves.
IPA_INLINE Vec interleave_low(Vec a, Vec b) {
#if defined(__AVX512F__)
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
#elif defined(__AVX2__)
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#else
  return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#endif
}
IPA_INLINE Vec interleave_high(Vec a, Vec b) {
#if defined(__AVX512F__)
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#elif defined(__AVX2__)
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
  return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#endif
}

// Element j of rows[i] becomes element i of rows[j]: each round moves one bit of i's binary digits to j's.
IPA_INLINE void transpose(Vec (&rows)[lanes]) {
  for (int round = 1; round < lanes; round *= 2) {
    Vec next[lanes];
    IPA_UNROLL for (int i = 0; i < lanes / 2; ++i) {
      next[2 * i] = interleave_low(rows[i], rows[i + lanes / 2]);
      next[2 * i + 1] = interleave_high(rows[i], rows[i + lanes / 2]);
    }
    IPA_UNROLL for (int i = 0; i < lanes; ++i) rows[i] = next[i];
  }
}

// Comparisons are written so that a NaN stays a NaN.
template <class V>
IPA_INLINE V at_least(V v, V floor) {
  return floor > v ? floor : v;
}
template <class V>
IPA_INLINE V relu(V v) {
  return at_least(v, V{});
}
template <class V>
IPA_INLINE V leaky_relu(V v, float slope) {
  return V{} > v ? slope * v : v;
}

// Lines of memory to fetch, one at each step of a loop over something else; where there are none, `at` is any address
// and the step 0. By asm, since GCC 12 takes a loop that only prefetches for one without effect.
struct Prefetch {
  const char* at;
  std::int64_t step;  // bytes

  IPA_INLINE void read() {
#ifdef __x86_64__
    asm volatile("prefetcht0 %0" ::"m"(*at));
#else
    __builtin_prefetch(at, 0);
#endif
    at += step;
  }
  IPA_INLINE void read_later() {  // into the second cache, so that the first is left to the loop
#ifdef __x86_64__
    asm volatile("prefetcht1 %0" ::"m"(*at));
#else
    __builtin_prefetch(at, 0, 2);
#endif
    at += step;
  }
  IPA_INLINE void write() {
#ifdef __x86_64__
    asm volatile("prefetchw %0" ::"m"(*at));
#else
    __builtin_prefetch(at, 1);
#endif
    at += step;
  }
};

}  // namespace
}  // namespace ipa::IPA_SIMD
