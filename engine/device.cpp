#include "engine/device.h"

#include <fmt/core.h>

#include "engine/cuda/runtime.h"
#include "engine/on_device.h"

namespace ipa {

std::string device_problem(Device device) {
  if (device.is_cpu()) return "";
  if constexpr (cuda_built) {
    if (const std::string why = cuda::problem(); !why.empty()) return why;
    const int count = cuda::device_count();
    if (device.index >= 0 && device.index < count) return "";
    return fmt::format("there {} only {} CUDA device{}, counted from 0", count == 1 ? "is" : "are", count,
                       count == 1 ? "" : "s");
  } else {
    return "this program was built without CUDA";
  }
}

bool built_with_cuda() { return cuda_built; }

std::string describe(Device device) {
  if (device.is_cpu()) return "cpu";
  if constexpr (cuda_built) return fmt::format("cuda:{} ({})", device.index, cuda::device_description(device.index));
  return fmt::format("cuda:{}", device.index);
}

Device best_device() {
  const Device cuda{Device::Kind::cuda, 0};
  return device_problem(cuda).empty() ? cuda : Device{};
}

}  // namespace ipa
