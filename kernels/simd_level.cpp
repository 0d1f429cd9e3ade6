#include "kernels/simd_level.h"

#include <fmt/core.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <string_view>

#include "engine/error.h"

namespace ipa {
namespace {

constexpr std::array names{"portable", "avx2", "avx512"};

SimdLevel widest() {
  return has_simd(SimdLevel::avx512) ? SimdLevel::avx512
         : has_simd(SimdLevel::avx2) ? SimdLevel::avx2
                                     : SimdLevel::portable;
}

SimdLevel from_environment() {
  const char* const wanted = std::getenv("IPA_SIMD");
  if (!wanted || !*wanted) return widest();
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == std::string_view(wanted) && has_simd(static_cast<SimdLevel>(i))) return static_cast<SimdLevel>(i);
  fail(ErrorKind::usage, fmt::format("IPA_SIMD: cannot use '{}'", wanted), {},
       fmt::format("this CPU has at most {}; the others are {}", names[static_cast<std::size_t>(widest())],
                   "portable and avx2"));
}

std::atomic<SimdLevel>& chosen() {
  static std::atomic<SimdLevel> level{from_environment()};
  return level;
}

}  // namespace

bool has_simd(SimdLevel level) {
#ifdef __x86_64__
  switch (level) {
    case SimdLevel::avx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma");
    case SimdLevel::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case SimdLevel::portable:
      break;
  }
#endif
  return level == SimdLevel::portable;
}

SimdLevel simd_level() { return chosen().load(std::memory_order_relaxed); }

void set_simd_level(SimdLevel level) {
  require(has_simd(level), "this CPU does not have that instruction set");
  chosen().store(level, std::memory_order_relaxed);
}

}  // namespace ipa
