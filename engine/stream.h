// An ordered queue of work on one device; the first argument of every kernel. On the CPU work runs at once, on the
// calling thread and OpenMP's team; on CUDA it is enqueued and runs later.
#pragma once

#include <memory>

#include "engine/device.h"

namespace ipa {

class Stream {
 public:
  explicit Stream(Device device = {});
  Device device() const { return device_; }

  void wait();  // until everything enqueued is done; not within a step

  void* native() const { return native_.get(); }  // of engine/cuda/stream.h; none on the CPU

 private:
  Device device_;
  std::shared_ptr<void> native_;
};

}  // namespace ipa
