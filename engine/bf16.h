// bfloat16: the upper half of a float. Rounded to nearest, ties to even; a NaN stays a NaN.
#pragma once

#include <bit>
#include <cstdint>

#include "engine/host_device.h"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#endif

namespace ipa {

struct bf16 {
  std::uint16_t bits;
};

IPA_HD float to_float(float x) { return x; }  // so that kernels are written once for both storage types

IPA_HD float to_float(bf16 x) {
#ifdef __CUDA_ARCH__
  return __uint_as_float(static_cast<std::uint32_t>(x.bits) << 16);
#else
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16);
#endif
}

IPA_HD bf16 to_bf16(float x) {
#ifdef __CUDA_ARCH__
  return {__bfloat16_as_ushort(__float2bfloat16_rn(x))};
#else
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<std::uint16_t>((bits >> 16) | 64)};
  return {static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16)};
#endif
}

}  // namespace ipa
