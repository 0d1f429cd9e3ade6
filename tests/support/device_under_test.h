// What tests of device code run on: the emulator, or a real GPU in the same tests built without IPA_EMULATION.
#pragma once

#include "engine/device.h"

#ifdef IPA_EMULATION
#include "kernels/emulation/controls.h"
#endif

namespace ipa::test {

constexpr Device device_under_test{Device::Kind::cuda, 0};

// Of the emulator's threads; a GPU has its own, different in every run.
inline void set_schedule([[maybe_unused]] unsigned seed) {
#ifdef IPA_EMULATION
  emulation::set_schedule(seed);
#endif
}

}  // namespace ipa::test
