// The dynamic shared memory of a block: poisoned, and followed by a canary.
#pragma once

#include <cstddef>
#include <memory>

namespace ipa::emulation {

constexpr std::size_t most_shared_bytes = 227 * 1024;  // of one block on sm_90

class SharedMemory {
 public:
  SharedMemory();
  void poison(std::size_t bytes);  // bits that are a NaN as float and as bf16, inside and around
  void check() const;              // throws where something was written outside
  bool contains(const void* p, std::size_t bytes) const;
  std::byte* data() const;

 private:
  struct Storage;
  struct Delete {
    void operator()(Storage* p) const;
  };
  std::unique_ptr<Storage, Delete> storage_;
  std::size_t bytes_ = 0;
};

}  // namespace ipa::emulation
