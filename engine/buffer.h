// The only type that owns and frees memory. Buffers are named, so that a program can print who holds what.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/device.h"
#include "engine/tensor.h"

namespace ipa {

class Buffer {
 public:
  static constexpr std::size_t alignment = 64;  // at least

  Buffer() = default;
  Buffer(std::string name, std::size_t bytes, Device device = {});  // zero-filled; ErrorKind::device if refused
  ~Buffer();
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  Tensor tensor(const TensorSpec& spec, std::size_t offset_bytes = 0) const;  // a view; checks that it fits

  struct Holding {
    std::string name;
    std::size_t bytes;
  };
  static std::vector<Holding> holdings();  // every live buffer of the process, in order of creation

 private:
  void release() noexcept;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  Device device_;
};

}  // namespace ipa
