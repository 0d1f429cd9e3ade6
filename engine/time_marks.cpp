#include "engine/time_marks.h"

#include "engine/cuda/runtime.h"
#include "engine/on_device.h"

namespace ipa {

TimeMarks::TimeMarks(Device device, std::size_t count) : device_(device) {
  on_device(
      device, [&] { times_.resize(count); },
      [&] {
        for (std::size_t i = 0; i < count; ++i) events_.push_back(cuda::make_clock_event(device.index));
      });
}

void TimeMarks::set(Stream& stream, std::size_t i) {
  on_device(
      device_, [&] { times_[i] = std::chrono::steady_clock::now(); },
      [&] { cuda::record_clock(events_[i].get(), stream.native()); });
}

double TimeMarks::seconds(std::size_t from, std::size_t to) const {
  return on_device(
      device_, [&] { return std::chrono::duration<double>(times_[to] - times_[from]).count(); },
      [&] { return cuda::seconds_between(events_[from].get(), events_[to].get()); });
}

}  // namespace ipa
