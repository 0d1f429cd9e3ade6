#include "engine/stream.h"

#include "engine/cuda/runtime.h"
#include "engine/on_device.h"

namespace ipa {

Stream::Stream(Device device) : device_(device) {
  on_device(
      device, [] {}, [this] { native_ = cuda::make_stream(device_.index); });
}

void Stream::wait() {
  on_device(
      device_, [] {}, [this] { cuda::wait(native()); });
}

}  // namespace ipa
