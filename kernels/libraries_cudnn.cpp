#include <cuda_runtime_api.h>
#include <cudnn_graph.h>
#include <fmt/core.h>
#include <nccl.h>

#include "engine/error.h"
#include "kernels/cublas_library.h"
#include "kernels/libraries.h"

namespace ipa::cuda {
namespace {

std::string version(std::size_t number) {  // 91900, 130002, 22803
  return fmt::format("{}.{}.{}", number / 10000, number % 10000 / 100, number % 100);
}

Library cublaslt_here() {
  try {
    return {"cuBLASLt", version(cublaslt().version())};
  } catch (const Error& e) {
    return {"cuBLASLt", "none", e.what()};
  }
}

}  // namespace

std::vector<Library> libraries() {
  int driver = 0, runtime = 0, nccl = 0;
  const bool has_driver = cudaDriverGetVersion(&driver) == cudaSuccess && driver > 0;
  cudaRuntimeGetVersion(&runtime);
  ncclGetVersion(&nccl);
  const auto two = [](int number) { return fmt::format("{}.{}", number / 1000, number % 1000 / 10); };
  return {{"CUDA driver", has_driver ? "for CUDA " + two(driver) : "none"},
          {"CUDA runtime", two(runtime)},
          {"cuDNN", version(cudnnGetVersion())},
          cublaslt_here(),
          {"NCCL", version(static_cast<std::size_t>(nccl))}};
}

}  // namespace ipa::cuda
