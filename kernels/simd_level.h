// Instruction sets, chosen while the program runs, since binaries travel. The arithmetic of an op STEM lies in
// kernels/STEM_simd.cpp, which CMake compiles once per set, each time with IPA_SIMD defined as the set's name:
// everything in it stands in the namespace ipa::IPA_SIMD, and what it offers is one table of functions,
//   STEM_kernels.h   struct StemKernels { void (*run)(...); };  IPA_SIMD_DECLARE(StemKernels, stem_kernels);
//   STEM_simd.cpp    const StemKernels IPA_SIMD::stem_kernels = {run};
//   STEM.cpp         const StemKernels& kernels = IPA_SIMD_PICK(stem_kernels);
// A function of a header that two sets share, an inline one of the standard library say, may be linked from the wider
// set and then be executed on a CPU without it. So a *_simd.cpp includes only headers without such functions, and
// keeps its own in an anonymous namespace.
#pragma once

#include <cstdint>

namespace ipa {

enum class SimdLevel : std::uint8_t { portable, avx2, avx512 };  // x86-64's baseline or what another CPU has; AVX2, FMA

bool has_simd(SimdLevel level);  // whether this program was built for it and this CPU has it
// The widest one there is or, where the environment's IPA_SIMD names one, that. Errors: usage, where it is not there.
SimdLevel simd_level();
void set_simd_level(SimdLevel level);  // for what is prepared from now on; tests run each

#ifdef __x86_64__
#define IPA_SIMD_DECLARE(Table, name) \
  namespace portable {                \
  extern const Table name;            \
  }                                   \
  namespace avx2 {                    \
  extern const Table name;            \
  }                                   \
  namespace avx512 {                  \
  extern const Table name;            \
  }
#define IPA_SIMD_PICK(name)                                       \
  (::ipa::simd_level() == ::ipa::SimdLevel::avx512 ? avx512::name \
   : ::ipa::simd_level() == ::ipa::SimdLevel::avx2 ? avx2::name   \
                                                   : portable::name)
#else
#define IPA_SIMD_DECLARE(Table, name) \
  namespace portable {                \
  extern const Table name;            \
  }
#define IPA_SIMD_PICK(name) (portable::name)
#endif

}  // namespace ipa
