// CUDA's words for code that the emulator runs. Each collective takes, unseen, the place of its call for reports.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/emulation/dim3.h"
#include "kernels/emulation/site.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

// Of the CUDA thread that now runs on this OS thread.
extern constinit thread_local uint3 threadIdx, blockIdx;
extern constinit thread_local dim3 blockDim, gridDim;
constexpr int warpSize = 32;

namespace ipa::emulation {

constexpr unsigned warp_size = 32;
constexpr std::size_t slot_bytes = 32;  // what one lane can show the others at once

void sync_threads(const Site& site);
// Shows `value` to the warp, waits for all lanes and returns their values, slot_bytes apart: valid until the next call.
const std::byte* exchange_bytes(const void* value, std::size_t bytes, const Site& site);
void sync_warp(const Site& site);
void check_full_mask(unsigned mask, const Site& site);
unsigned lane();

template <class T>
class Lanes {  // one value per lane of the warp
 public:
  explicit Lanes(const std::byte* slots) : slots_(slots) {}
  T operator[](unsigned i) const {
    T value;
    std::memcpy(&value, slots_ + i * slot_bytes, sizeof value);
    return value;
  }

 private:
  const std::byte* slots_;
};

template <class T>
Lanes<T> all_lanes(const T& value, const Site& site) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= slot_bytes);
  return Lanes<T>(exchange_bytes(&value, sizeof value, site));
}

template <class T>
T shuffle(unsigned mask, T value, unsigned from, const Site& site) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "CUDA shuffles values of 4 or 8 bytes");
  check_full_mask(mask, site);
  return all_lanes(value, site)[from];
}

}  // namespace ipa::emulation

inline void __syncthreads(ipa::emulation::Site site = {}) { ipa::emulation::sync_threads(site); }

inline void __syncwarp(unsigned mask = 0xffffffffu, ipa::emulation::Site site = {}) {
  ipa::emulation::check_full_mask(mask, site);
  ipa::emulation::sync_warp(site);
}

template <class T>
T __shfl_sync(unsigned mask, T value, int from, ipa::emulation::Site site = {}) {
  return ipa::emulation::shuffle(mask, value, static_cast<unsigned>(from) % 32, site);
}

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, ipa::emulation::Site site = {}) {
  return ipa::emulation::shuffle(mask, value, (ipa::emulation::lane() ^ static_cast<unsigned>(lane_mask)) % 32, site);
}

template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, ipa::emulation::Site site = {}) {
  const unsigned own = ipa::emulation::lane();
  return ipa::emulation::shuffle(mask, value, own + delta < 32 ? own + delta : own, site);
}

template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, ipa::emulation::Site site = {}) {
  const unsigned own = ipa::emulation::lane();
  return ipa::emulation::shuffle(mask, value, delta <= own ? own - delta : own, site);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, ipa::emulation::Site site = {}) {
  ipa::emulation::check_full_mask(mask, site);
  const auto votes = ipa::emulation::all_lanes(predicate, site);
  unsigned set = 0;
  for (unsigned i = 0; i < 32; ++i) set |= static_cast<unsigned>(votes[i] != 0) << i;
  return set;
}

inline int __any_sync(unsigned mask, int predicate, ipa::emulation::Site site = {}) {
  return __ballot_sync(mask, predicate, site) != 0;
}

inline int __all_sync(unsigned mask, int predicate, ipa::emulation::Site site = {}) {
  return __ballot_sync(mask, predicate, site) == 0xffffffffu;
}

template <class T>
T __ldg(const T* p) {
  return *p;
}
