// Where memory lives and work runs.
#pragma once

#include <compare>
#include <string>

namespace ipa {

struct Device {
  enum class Kind { cpu, cuda };
  Kind kind = Kind::cpu;
  int index = 0;  // CUDA ordinal; 0 for the CPU

  constexpr bool is_cpu() const { return kind == Kind::cpu; }
  friend bool operator==(const Device&, const Device&) = default;
};

// Empty if `device` can be used by this program on this machine, else why not, as a user may read it.
std::string device_problem(Device device);

// Whether this program has code for CUDA devices at all.
bool built_with_cuda();

// "cpu", "cuda:0 (NVIDIA H200, 139.8 GiB, sm_90)".
std::string describe(Device device);

// The first CUDA device if there is one and this program can use it, else the CPU.
Device best_device();

}  // namespace ipa
