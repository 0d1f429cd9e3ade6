// An ordered queue of work on one device; the first argument of every kernel. On the CPU work runs at once, on the
// calling thread and OpenMP's team.
#pragma once

#include "engine/device.h"

namespace ipa {

class Stream {
 public:
  explicit Stream(Device device = {}) : device_(device) {}
  Device device() const { return device_; }

 private:
  Device device_;
};

}  // namespace ipa
