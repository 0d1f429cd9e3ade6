// The libraries that this program computes with, as they are on this machine.
#pragma once

#include <string>
#include <vector>

namespace ipa {

struct Library {
  std::string name, version;
  std::string problem = {};  // where it cannot be used: why, and what to do
};

std::vector<Library> libraries();  // oneDNN; with CUDA also its driver, runtime, cuDNN, cuBLASLt and NCCL

namespace cuda {
decltype(ipa::libraries) libraries;
}

}  // namespace ipa
