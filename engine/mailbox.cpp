#include "engine/mailbox.h"

#include <cstring>

#include "engine/cuda/runtime.h"
#include "engine/on_device.h"

namespace ipa {
namespace {
std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
}  // namespace

Mailbox::Mailbox(Device device, void* to, std::size_t to_bytes, const void* from, std::size_t from_bytes,
                 std::size_t depth)
    : device_(device), to_(to), from_(from), to_bytes_(to_bytes), from_bytes_(from_bytes), slots_(depth) {
  const std::size_t stride = aligned(to_bytes) + aligned(from_bytes), bytes = depth * stride;
  on_device(
      device, [&] { memory_ = new std::byte[bytes](); },
      [&] { memory_ = static_cast<std::byte*>(cuda::allocate_pinned(bytes)); });
  for (std::size_t i = 0; i < depth; ++i) {
    slots_[i].out = memory_ + i * stride;
    slots_[i].in = slots_[i].out + aligned(to_bytes);
    on_device(
        device, [] {}, [&] { slots_[i].done = cuda::make_event(device.index); });
  }
}

Mailbox::~Mailbox() {
  on_device(
      device_, [&] { delete[] memory_; }, [&] { cuda::release_pinned(memory_); });
}

void Mailbox::before_step(Stream& stream) {
  require(!full(), "mailbox: too many steps under way");
  const std::byte* from = slot(sent_).out;
  on_device(
      stream, [&] { std::memcpy(to_, from, to_bytes_); },
      [&] { cuda::copy_in_later(stream.native(), to_, from, to_bytes_); });
}

void Mailbox::after_step(Stream& stream) {
  Slot& s = slot(sent_++);
  on_device(
      stream, [&] { std::memcpy(s.in, from_, from_bytes_); },
      [&] {
        cuda::copy_out_later(stream.native(), s.in, from_, from_bytes_);
        cuda::record(s.done.get(), stream.native());
      });
}

const std::byte* Mailbox::next(bool wait) {
  if (read_ == sent_) return nullptr;
  Slot& s = slot(read_);
  const bool done = on_device(
      device_, [] { return true; },
      [&] {
        if (wait) cuda::wait_for(s.done.get());
        return cuda::is_done(s.done.get());
      });
  if (!done) return nullptr;
  ++read_;
  return s.in;
}

}  // namespace ipa
