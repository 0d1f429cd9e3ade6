// The only place where the backends part. Included by the .cpp files of engine/ and kernels/ alone: they are compiled
// once for the program and, for the tests, once more for the emulator (kernels/emulation), in which "CUDA" runs on the
// CPU.
#pragma once

#include <cstddef>

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

// The same for what is prepared now, with its `workspace_bytes`, and run later. A program without CUDA prepares for it
// too, so as to plan: what it then has cannot run. `cuda_bytes` is the workspace there, in every build.
template <class Cpu, class Cuda>
auto prepare_on_device(Device device, Cpu&& cpu, [[maybe_unused]] Cuda&& cuda, std::size_t cuda_bytes) {
  if (device.is_cpu()) return cpu();
  decltype(cpu()) prepared;
  if constexpr (cuda_built) prepared = cuda();
  require(prepared.workspace_bytes <= cuda_bytes, "prepared with more workspace than is planned");
  prepared.workspace_bytes = cuda_bytes;
  return prepared;
}

template <class Cpu, class Cuda>
decltype(auto) on_device(const Stream& stream, Cpu&& cpu, Cuda&& cuda) {
  return on_device(stream.device(), cpu, cuda);
}

}  // namespace ipa
