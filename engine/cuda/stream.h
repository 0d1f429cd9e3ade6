// What a Stream is on CUDA. Only files of the CUDA backend include this.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/stream.h"

namespace ipa::cuda {

inline cudaStream_t native(const Stream& stream) { return static_cast<cudaStream_t>(stream.native()); }

}  // namespace ipa::cuda
