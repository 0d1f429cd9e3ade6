#pragma once

#include <catch2/catch.hpp>

#include "kernels/simd_level.h"

namespace ipa::test {

// f() by each instruction set that this CPU has.
template <class F>
void on_each_level(F&& f) {
  const SimdLevel before = simd_level();
  for (const SimdLevel level : {SimdLevel::portable, SimdLevel::avx2, SimdLevel::avx512}) {
    if (!has_simd(level)) continue;
    set_simd_level(level);
    INFO("instruction set " << static_cast<int>(level));
    f();
  }
  set_simd_level(before);
}

}  // namespace ipa::test
