#include "kernels/emulation/shared_memory.h"

#include <fmt/core.h>

#include <cstdint>
#include <cstring>
#include <functional>

#include "engine/error.h"

namespace ipa::emulation {
namespace {

constexpr std::size_t canary_bytes = 256;
constexpr int inside = 0xff;
constexpr int outside = 0xfe;  // 0xfefe would be a number in either type, hence every second byte is 0xff

std::byte canary(std::size_t i) { return static_cast<std::byte>(i % 2 ? inside : outside); }

}  // namespace

struct alignas(128) SharedMemory::Storage {
  std::byte bytes[canary_bytes + most_shared_bytes + canary_bytes];
};

void SharedMemory::Delete::operator()(Storage* p) const { delete p; }

SharedMemory::SharedMemory() : storage_(new Storage) {}

std::byte* SharedMemory::data() const { return storage_->bytes + canary_bytes; }

bool SharedMemory::contains(const void* p, std::size_t bytes) const {
  const std::less_equal<const void*> before;
  return before(data(), p) && before(static_cast<const std::byte*>(p) + bytes, data() + bytes_);
}

void SharedMemory::poison(std::size_t bytes) {
  bytes_ = bytes;
  std::memset(data(), inside, bytes);
  for (std::size_t i = 0; i < canary_bytes; ++i) storage_->bytes[i] = data()[bytes + i] = canary(i);
}

void SharedMemory::check() const {
  for (std::size_t i = 0; i < canary_bytes; ++i) {
    if (data()[bytes_ + i] != canary(i))
      fail(ErrorKind::internal, fmt::format("a kernel wrote shared byte {} of {}", bytes_ + i, bytes_));
    if (storage_->bytes[i] != canary(i))
      fail(ErrorKind::internal, fmt::format("a kernel wrote {} bytes before its shared memory", canary_bytes - i));
  }
}

}  // namespace ipa::emulation
