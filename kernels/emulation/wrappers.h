// gpu.h's wrappers on the emulator. Included by gpu.h only.
#pragma once

#include "kernels/gpu.h"

namespace ipa {
namespace emulation {

std::byte* shared_bytes();
void check_aligned16(const void* p, const Site& site);
void wait_copies(std::size_t still_under_way);

}  // namespace emulation

template <class T>
T* shared_memory() {
  return reinterpret_cast<T*>(emulation::shared_bytes());
}

inline Vector16 load_vector(const void* p, Site site) {
  emulation::check_aligned16(p, site);
  Vector16 v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

inline void store_vector(void* p, const Vector16& v, Site site) {
  emulation::check_aligned16(p, site);
  std::memcpy(p, &v, sizeof v);
}

template <class T>
T shuffle_xor(T value, int mask, Site site) {
  return __shfl_xor_sync(0xffffffffu, value, mask, site);
}

template <class T>
T shuffle_down(T value, unsigned delta, Site site) {
  return __shfl_down_sync(0xffffffffu, value, delta, site);
}

template <class T>
const T* reread(const T* p) {
  return p;
}

template <int N>
void wait_copies() {
  emulation::wait_copies(N);
}

}  // namespace ipa
