# The CUDA toolkit and NVIDIA's libraries, if they are there. Sets IPA_CUDA_FOUND; with it the language CUDA is enabled
# and these targets exist:
#   ipa_cuda_runtime, ipa_cudnn, ipa_nccl                 headers (as system headers) and library
#   ipa_cublaslt                                          headers: the program loads it (kernels/cublas_library.h)
#   ipa_cuda_options                                      what every .cu of ours is compiled with
# A CPU-only build includes this file too, and gets nothing but IPA_CUDA_FOUND = OFF.
set(IPA_CUDA auto CACHE STRING "Build the CUDA backend: ON, OFF, or auto (where toolkit, cuDNN and NCCL are found)")
set(IPA_CUDA_ARCHITECTURES 90a CACHE STRING "GPUs to compile for, a list of 80, 86, 89, 90a, 100 (90a: H100 and H200)")
option(IPA_CUDA_PTXAS_INFO "Print the registers and spills of every kernel" OFF)
set_property(CACHE IPA_CUDA PROPERTY STRINGS auto ON OFF)

set(IPA_CUDA_MIN_TOOLKIT 12.8)
set(IPA_CUDA_MIN_CUDNN 9.8)

# `version` from the lines "#define MAJOR_MACRO 9" and "#define MINOR_MACRO 19" of a header.
function(ipa_version_of header major minor version)
  file(STRINGS ${header} lines REGEX "^#define +(${major}|${minor}) +[0-9]+")
  string(REGEX REPLACE ".*${major} +([0-9]+).*" "\\1" a "${lines}")
  string(REGEX REPLACE ".*${minor} +([0-9]+).*" "\\1" b "${lines}")
  set(${version} ${a}.${b} PARENT_SCOPE)
endfunction()

# A library with its header, as an interface; what is not found is added to `missing`. With LOADED it is not linked, but
# what is built here looks for it where it is now, as if it were; once installed, by the usual search.
macro(ipa_cuda_library target library header)
  find_path(IPA_${target}_INCLUDE ${header} HINTS ${CUDAToolkit_INCLUDE_DIRS} ENV CUDNN_PATH PATH_SUFFIXES include)
  find_library(IPA_${target}_LIBRARY ${library} HINTS ${CUDAToolkit_LIBRARY_DIR} ENV CUDNN_PATH PATH_SUFFIXES lib lib64)
  mark_as_advanced(IPA_${target}_INCLUDE IPA_${target}_LIBRARY)
  if(IPA_${target}_INCLUDE AND IPA_${target}_LIBRARY)
    add_library(${target} INTERFACE)
    target_include_directories(${target} SYSTEM INTERFACE ${IPA_${target}_INCLUDE} ${CUDAToolkit_INCLUDE_DIRS})
    if("${ARGN}" STREQUAL LOADED)
      get_filename_component(folder ${IPA_${target}_LIBRARY} DIRECTORY)
      if(NOT folder IN_LIST CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES)
        list(APPEND CMAKE_BUILD_RPATH ${folder})
      endif()
    else()
      target_link_libraries(${target} INTERFACE ${IPA_${target}_LIBRARY})
    endif()
  else()
    list(APPEND missing "lib${library} with ${header}")
  endif()
endmacro()

macro(ipa_find_cuda)
  set(missing "")
  find_package(CUDAToolkit ${IPA_CUDA_MIN_TOOLKIT} QUIET)
  if(NOT CUDAToolkit_FOUND OR NOT CUDAToolkit_NVCC_EXECUTABLE)
    list(APPEND missing "nvcc >= ${IPA_CUDA_MIN_TOOLKIT}")
  else()
    ipa_cuda_library(ipa_cuda_runtime cudart cuda_runtime_api.h)
    ipa_cuda_library(ipa_cudnn cudnn_graph cudnn_graph.h)
    ipa_cuda_library(ipa_cublaslt cublasLt cublasLt.h LOADED)
    ipa_cuda_library(ipa_nccl nccl nccl.h)
    if(TARGET ipa_cudnn)
      ipa_version_of(${IPA_ipa_cudnn_INCLUDE}/cudnn_version.h CUDNN_MAJOR CUDNN_MINOR cudnn_version)
      if(cudnn_version VERSION_LESS IPA_CUDA_MIN_CUDNN)
        list(APPEND missing "cuDNN >= ${IPA_CUDA_MIN_CUDNN} (found ${cudnn_version})")
      endif()
    endif()
  endif()
  if(missing)
    list(JOIN missing ", " missing)
  endif()
endmacro()

set(IPA_CUDA_FOUND OFF)
if(NOT IPA_CUDA STREQUAL OFF)
  ipa_find_cuda()
  if(NOT missing)
    set(IPA_CUDA_FOUND ON)
  elseif(IPA_CUDA STREQUAL auto)
    message(STATUS "CUDA backend: not built, missing ${missing}")
  else()
    message(FATAL_ERROR "IPA_CUDA=ON, but missing: ${missing}. Set CUDAToolkit_ROOT, and CUDNN_PATH if cuDNN lies "
                        "elsewhere, or build with IPA_CUDA=OFF.")
  endif()
endif()

if(IPA_CUDA_FOUND)
  # "-real": machine code for these GPUs, no PTX: -gencode arch=compute_90a,code=sm_90a.
  list(TRANSFORM IPA_CUDA_ARCHITECTURES APPEND -real OUTPUT_VARIABLE CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_COMPILER ${CUDAToolkit_NVCC_EXECUTABLE} CACHE FILEPATH "")
  set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)  # one runtime in the process: the one the libraries' users link
  enable_language(CUDA)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)  # which CMake 3.25 does not know of this nvcc
  message(STATUS "CUDA backend: toolkit ${CUDAToolkit_VERSION}, cuDNN ${cudnn_version}, for ${IPA_CUDA_ARCHITECTURES}")

  add_library(ipa_cuda_options INTERFACE)
  # 20208: "long double is treated as double in device code", where a header both compilers see has one.
  target_compile_options(ipa_cuda_options INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:
    --expt-relaxed-constexpr -Werror=all-warnings -diag-suppress=20208
    -Xcompiler=-fopenmp,-Wall,-Wextra,-Werror,-Wno-missing-field-initializers,-fno-math-errno,-fno-trapping-math
    $<$<BOOL:${IPA_CUDA_PTXAS_INFO}>:-Xptxas=-v>>)
  target_link_libraries(ipa_cuda_options INTERFACE ipa_cuda_runtime)
endif()
