// cuBLASLt is loaded at its first use and not before. The tests that load it stand last.
#include "kernels/cublas_library.h"

#include <dlfcn.h>

#include <catch2/catch.hpp>

#include "kernels/matmul.h"
#include "tests/support/error_kind.h"

namespace ipa::cuda {

bool is_loaded() { return ::dlopen(cublaslt_file, RTLD_LAZY | RTLD_NOLOAD) != nullptr; }

TEST_CASE("what is not there, or is another library, is told with a remedy") {
  CHECK(error_kind([] { load_cublaslt("libcublasLt.so.0"); }, "libcublasLt.so.0") == 5);
  CHECK(error_kind([] { load_cublaslt("libm.so.6"); }, "cublasLtGetVersion") == 5);
  CHECK(error_kind([] { load_cublaslt("libm.so.6"); }, "install the libraries of CUDA") == 5);
}

TEST_CASE("cuBLASLt is loaded at its first use") {
  const PreparedMatmul planned = prepare_matmul({.batch = 1, .m = 64, .n = 64, .k = 64}, DType::bf16);
  CHECK(planned.workspace_bytes == matmul_workspace_limit);
  CHECK_FALSE(is_loaded());
  CHECK(cublaslt().version() / 10000 == CUBLAS_VER_MAJOR);
  CHECK(is_loaded());
}

TEST_CASE("the functions are those of their names") {
  const CublasLt& lt = cublaslt();
  CHECK_THAT(lt.status_string(CUBLAS_STATUS_NOT_SUPPORTED), Catch::Contains("not supported"));
  cublasLtMatmulDesc_t operation = nullptr;  // none of these needs a GPU
  const cublasOperation_t transposed = CUBLAS_OP_T;
  CHECK(lt.create_operation(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F) == CUBLAS_STATUS_SUCCESS);
  CHECK(lt.set_operation(operation, CUBLASLT_MATMUL_DESC_TRANSB, &transposed, sizeof transposed) ==
        CUBLAS_STATUS_SUCCESS);
  CHECK(lt.destroy_operation(operation) == CUBLAS_STATUS_SUCCESS);
  cublasLtMatrixLayout_t layout = nullptr;
  const std::int32_t batch = 3;
  CHECK(lt.create_layout(&layout, CUDA_R_16BF, 8, 16, 8) == CUBLAS_STATUS_SUCCESS);
  CHECK(lt.set_layout(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch) == CUBLAS_STATUS_SUCCESS);
  CHECK(lt.destroy_layout(layout) == CUBLAS_STATUS_SUCCESS);
  cublasLtMatmulPreference_t preference = nullptr;
  const std::uint64_t bytes = matmul_workspace_limit;
  CHECK(lt.create_preference(&preference) == CUBLAS_STATUS_SUCCESS);
  CHECK(lt.set_preference(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes) ==
        CUBLAS_STATUS_SUCCESS);
  CHECK(lt.destroy_preference(preference) == CUBLAS_STATUS_SUCCESS);
}

}  // namespace ipa::cuda
