// The only place where the backends part. Included by the .cpp files of engine/ and kernels/ alone: they are compiled
// once for the program and, for the tests, once more for the emulator (kernels/emulation), in which "CUDA" runs on the
// CPU.
#pragma once

#include "engine/device.h"
#include "engine/error.h"
#include "engine/stream.h"

namespace ipa {

#if defined(IPA_CUDA) || defined(IPA_EMULATION)
constexpr bool cuda_built = true;
#else
constexpr bool cuda_built = false;
#endif

// Calls `cpu` or `cuda`, as `device` asks for. Without CUDA the second is never instantiated into code, so that it may
// call what is not linked.
template <class Cpu, class Cuda>
decltype(auto) on_device(Device device, Cpu&& cpu, [[maybe_unused]] Cuda&& cuda) {
  if constexpr (cuda_built) {
    if (!device.is_cpu()) return cuda();
  } else {
    require(device.is_cpu(), "this program was built without CUDA");
  }
  return cpu();
}

template <class Cpu, class Cuda>
decltype(auto) on_device(const Stream& stream, Cpu&& cpu, Cuda&& cuda) {
  return on_device(stream.device(), cpu, cuda);
}

}  // namespace ipa
