// What travels with each step: a block of bytes to the device before it and one back after it, through a ring of pinned
// host memory, so that the host enqueues steps ahead and reads results late without ever stopping the device.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "engine/stream.h"

namespace ipa {

class Mailbox {
 public:
  // `to` and `from` lie on the device of the streams used and outlive this. At most `depth` steps are under way.
  Mailbox(Device device, void* to, std::size_t to_bytes, const void* from, std::size_t from_bytes,
          std::size_t depth = 4);
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  bool full() const { return sent_ - read_ == slots_.size(); }  // then `next` must be called before another step
  std::byte* outgoing() { return slot(sent_).out; }             // to fill, for the step to come
  void before_step(Stream& stream);                             // enqueues its way to the device
  void after_step(Stream& stream);                              // enqueues the way back

  // The bytes of the oldest step not yet read; null if it is not done and `wait` is false, or if there is none.
  const std::byte* next(bool wait);

 private:
  struct Slot {
    std::byte *out = nullptr, *in = nullptr;
    std::shared_ptr<void> done;  // an event
  };
  Slot& slot(std::size_t step) { return slots_[step % slots_.size()]; }

  Device device_;
  void* to_;
  const void* from_;
  std::size_t to_bytes_, from_bytes_;
  std::vector<Slot> slots_;
  std::byte* memory_ = nullptr;
  std::size_t sent_ = 0, read_ = 0;
};

}  // namespace ipa
