// Statuses of the CUDA runtime as errors. Only files of the CUDA backend include this.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/error.h"

namespace ipa::cuda {

// Throws ErrorKind::device with what CUDA says and, for a mistake of ours, the source position.
void check(cudaError_t status, const char* what, const char* file = __builtin_FILE(), int line = __builtin_LINE());

}  // namespace ipa::cuda
