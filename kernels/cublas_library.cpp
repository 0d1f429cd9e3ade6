#include "kernels/cublas_library.h"

#include <dlfcn.h>
#include <fmt/core.h>

#include "engine/error.h"

#define IPA_TEXT(x) #x
#define IPA_VALUE_AS_TEXT(macro) IPA_TEXT(macro)

namespace ipa::cuda {

const char* const cublaslt_file = "libcublasLt.so." IPA_VALUE_AS_TEXT(CUBLAS_VER_MAJOR);

CublasLt load_cublaslt(const std::string& file) {
  const auto loaded = [&file](void* found) {
    if (found) return found;
    const char* why = ::dlerror();
    fail(ErrorKind::device, fmt::format("cuBLASLt cannot be loaded: {}", why ? why : file), "",
         fmt::format("install the libraries of CUDA {}, or name their folder in LD_LIBRARY_PATH", CUBLAS_VER_MAJOR));
  };
  void* library = loaded(::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL));
  CublasLt functions = {};
  const auto find = [&]<class Function>(Function*& function, const char* name) {
    function = reinterpret_cast<Function*>(loaded(::dlsym(library, name)));
  };
  find(functions.version, "cublasLtGetVersion");
  find(functions.status_string, "cublasLtGetStatusString");
  find(functions.create, "cublasLtCreate");
  find(functions.create_operation, "cublasLtMatmulDescCreate");
  find(functions.destroy_operation, "cublasLtMatmulDescDestroy");
  find(functions.set_operation, "cublasLtMatmulDescSetAttribute");
  find(functions.create_layout, "cublasLtMatrixLayoutCreate");
  find(functions.destroy_layout, "cublasLtMatrixLayoutDestroy");
  find(functions.set_layout, "cublasLtMatrixLayoutSetAttribute");
  find(functions.create_preference, "cublasLtMatmulPreferenceCreate");
  find(functions.destroy_preference, "cublasLtMatmulPreferenceDestroy");
  find(functions.set_preference, "cublasLtMatmulPreferenceSetAttribute");
  find(functions.heuristic, "cublasLtMatmulAlgoGetHeuristic");
  find(functions.matmul, "cublasLtMatmul");
  return functions;
}

const CublasLt& cublaslt() {
  static const CublasLt functions = load_cublaslt(cublaslt_file);
  return functions;
}

}  // namespace ipa::cuda
