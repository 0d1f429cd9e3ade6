// Divides a launch's workspace into 64-byte aligned arrays. Without memory it only counts, so that one layout serves
// both `prepare` (how many bytes?) and the kernel (where?).
#pragma once

#include <cstddef>
#include <cstdint>

namespace ipa {

class Scratch {
 public:
  explicit Scratch(void* memory = nullptr) : memory_(static_cast<std::byte*>(memory)) {}

  template <class T>
  T* take(std::int64_t count) {
    const std::size_t at = bytes_;
    bytes_ += (static_cast<std::size_t>(count) * sizeof(T) + 63) / 64 * 64;
    return memory_ ? reinterpret_cast<T*>(memory_ + at) : nullptr;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  std::byte* memory_;
  std::size_t bytes_ = 0;
};

}  // namespace ipa
