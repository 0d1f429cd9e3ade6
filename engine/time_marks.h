// Points in a stream's work and the time between them: of the host's clock on the CPU, of events on CUDA, where they
// are the device's own times. Marks may be set in a recording too (engine/recording.h): every replay sets them anew.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "engine/stream.h"

namespace ipa {

class TimeMarks {
 public:
  TimeMarks(Device device, std::size_t count);

  void set(Stream& stream, std::size_t i);                 // when all that was enqueued before is done
  double seconds(std::size_t from, std::size_t to) const;  // once both are set and the stream was waited for

 private:
  Device device_;
  std::vector<std::chrono::steady_clock::time_point> times_;  // on the CPU
  std::vector<std::shared_ptr<void>> events_;                 // on CUDA
};

}  // namespace ipa
