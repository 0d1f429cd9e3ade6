// Stands in for the engine's own when comm_nccl.cpp is tested without CUDA.
#pragma once

#include "engine/stream.h"
#include "tests/support/fake_nccl/cuda_runtime_api.h"

namespace ipa::cuda {
inline cudaStream_t native(const Stream&) { return &fake_main; }
}  // namespace ipa::cuda
