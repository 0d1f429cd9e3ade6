// What this machine has, and where this program lies on it, as its kernel tells: of Linux.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/device.h"

namespace ipa {

struct Processor {
  std::string name;
  int cores = 0;     // of the machine, without hyper-threads; 0: not known
  int usable = 0;    // logical ones that this process may run on
  double share = 0;  // of that many cores' time, where a control group limits it (containers, Slurm); 0: no limit
  std::vector<std::string> features;  // vector instructions: "AVX2", "AVX-512", ...
};
Processor processor();

// The vector instructions that our own code was compiled for, the widest: "AVX-512", "AVX2" or "" (any x86-64). But
// for convolutions, which choose theirs when the program runs (kernels/simd_level.h).
std::string compiled_for();

struct Memory {
  std::size_t free = 0, total = 0;  // bytes; free: what can be had without swapping
};
Memory memory_of(Device device);  // within the limit of a control group, where there is one

// The folder PREFIX where this program is PREFIX/bin/NAME: what is installed with it lies there too. Empty: not known.
std::filesystem::path program_prefix();

// NVIDIA GPUs by name, as their kernel driver lists them: also where this program cannot use them.
std::vector<std::string> nvidia_gpus();

}  // namespace ipa
