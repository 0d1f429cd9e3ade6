// Matrix products by cuBLASLt. Its matrices are column-major, so that a row-major matrix is its transpose there, and
// c = a b is asked for as c' = b' a'. The algorithm is the first that its heuristic names for the shape; none may split
// the sum over k, whose parts would need an order. fp32 is "pedantic": no TF32, no products of rounded parts.
#include <fmt/core.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "engine/cuda/check.h"
#include "engine/cuda/stream.h"
#include "kernels/cublas_library.h"
#include "kernels/matmul.h"

namespace ipa::cuda {

static void check(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS)
    fail(ErrorKind::device, fmt::format("cuBLASLt: {}: {}", what, cublaslt().status_string(status)), "",
         "try another version of the CUDA libraries");
}

namespace {

constexpr std::uint32_t alignment = 16;  // bytes, of every matrix

// One for each device, for as long as the process lives: at its end the driver may be gone first.
cublasLtHandle_t handle_of(Device device) {
  static std::mutex mutex;
  static auto& handles = *new std::map<int, cublasLtHandle_t>;
  const std::lock_guard lock(mutex);
  cublasLtHandle_t& handle = handles[device.index];
  if (!handle) {
    check(cudaSetDevice(device.index), "device");
    check(cublaslt().create(&handle), "create");
  }
  return handle;
}

// The opaque structs of cuBLASLt, owned and with typed attributes.
template <class T, auto destroy>
struct Destroy {
  void operator()(T* p) const { (cublaslt().*destroy)(p); }
};
using Operation =
    std::unique_ptr<cublasLtMatmulDescOpaque_t, Destroy<cublasLtMatmulDescOpaque_t, &CublasLt::destroy_operation>>;
using Layout =
    std::unique_ptr<cublasLtMatrixLayoutOpaque_t, Destroy<cublasLtMatrixLayoutOpaque_t, &CublasLt::destroy_layout>>;
using Preference = std::unique_ptr<cublasLtMatmulPreferenceOpaque_t,
                                   Destroy<cublasLtMatmulPreferenceOpaque_t, &CublasLt::destroy_preference>>;

template <auto set, class Object, class Name, class Value>
void attribute(const Object& object, Name name, Value value) {
  check((cublaslt().*set)(object.get(), name, &value, sizeof value), "attribute");
}

// Row-major (rows, columns), one behind another.
Layout layout(std::int64_t batch, std::int64_t rows, std::int64_t columns, cudaDataType_t type) {
  cublasLtMatrixLayout_t made = nullptr;
  check(cublaslt().create_layout(&made, type, static_cast<std::uint64_t>(columns), static_cast<std::uint64_t>(rows),
                                 columns),
        "layout");
  Layout l(made);
  attribute<&CublasLt::set_layout>(l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<std::int32_t>(batch));
  attribute<&CublasLt::set_layout>(l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, rows * columns);
  return l;
}

Operation operation(cublasComputeType_t compute, bool transpose_a) {
  cublasLtMatmulDesc_t made = nullptr;
  check(cublaslt().create_operation(&made, compute, CUDA_R_32F), "operation");
  Operation o(made);
  if (transpose_a) attribute<&CublasLt::set_operation>(o, CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_T);
  return o;
}

Preference preference() {
  cublasLtMatmulPreference_t made = nullptr;
  check(cublaslt().create_preference(&made), "preference");
  Preference p(made);
  constexpr auto set = &CublasLt::set_preference;
  attribute<set>(p, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{matmul_workspace_limit});
  attribute<set>(p, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, std::uint32_t{CUBLASLT_REDUCTION_SCHEME_NONE});
  for (const auto of : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    attribute<set>(p, of, alignment);
  return p;
}

struct Product {
  float alpha;
  Operation operation;
  Layout a, b, c;
  cublasLtHandle_t handle;
  cublasLtMatmulAlgo_t algorithm;

  Product(const MatmulGeometry& g, DType dtype, Device device) : alpha(g.alpha), handle(handle_of(device)) {
    const bool half = dtype == DType::bf16;
    const cudaDataType_t type = half ? CUDA_R_16BF : CUDA_R_32F;
    operation = cuda::operation(half ? CUBLAS_COMPUTE_32F : CUBLAS_COMPUTE_32F_PEDANTIC, g.transpose_a);
    a = g.transpose_a ? layout(g.batch, g.k, g.m, type) : layout(g.batch, g.m, g.k, type);
    b = layout(g.batch, g.k, g.n, type);
    c = layout(g.batch, g.m, g.n, type);
    cublasLtMatmulHeuristicResult_t best = {};
    int found = 0;
    check(cublaslt().heuristic(handle, operation.get(), b.get(), a.get(), c.get(), c.get(), preference().get(), 1,
                               &best, &found),
          "no algorithm");
    if (found == 0) check(CUBLAS_STATUS_NOT_SUPPORTED, "no algorithm");
    algorithm = best.algo;
  }

  void run(Stream& stream, void* to, const void* from_a, const void* from_b, void* workspace) const {
    const float beta = 0;
    check(cublaslt().matmul(handle, operation.get(), &alpha, from_b, b.get(), from_a, a.get(), &beta, to, c.get(), to,
                            c.get(), &algorithm, workspace, matmul_workspace_limit, native(stream)),
          "matmul");
  }
};

}  // namespace

// All is left to `ready`, so that planning needs no cuBLASLt.
PreparedMatmul prepare_matmul(const MatmulGeometry& g, DType dtype) {
  require(dtype == DType::f32 || dtype == DType::bf16, "matmul: the operands must be f32 or bf16");
  auto product = std::make_shared<std::optional<Product>>();
  return {[product](Stream& stream, void* c, const void* a, const void* b, void* workspace) {
            require(product->has_value(), "matmul on cuBLASLt: run before ready");
            (*product)->run(stream, c, a, b, workspace);
          },
          matmul_workspace_limit, [product, g, dtype](Stream& stream) { product->emplace(g, dtype, stream.device()); }};
}

}  // namespace ipa::cuda
