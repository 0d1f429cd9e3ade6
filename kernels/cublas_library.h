// cuBLASLt's functions, loaded when the first of them is wanted: half a gigabyte of it would cost every start of the
// program 0.1 s of processor time, and most runs multiply nothing on a GPU.
#pragma once

#include <cublasLt.h>

#include <string>

namespace ipa::cuda {

// Those that are used here, with the types of the header.
struct CublasLt {
  decltype(&cublasLtGetVersion) version;
  decltype(&cublasLtGetStatusString) status_string;
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtMatmulDescCreate) create_operation;
  decltype(&cublasLtMatmulDescDestroy) destroy_operation;
  decltype(&cublasLtMatmulDescSetAttribute) set_operation;
  decltype(&cublasLtMatrixLayoutCreate) create_layout;
  decltype(&cublasLtMatrixLayoutDestroy) destroy_layout;
  decltype(&cublasLtMatrixLayoutSetAttribute) set_layout;
  decltype(&cublasLtMatmulPreferenceCreate) create_preference;
  decltype(&cublasLtMatmulPreferenceDestroy) destroy_preference;
  decltype(&cublasLtMatmulPreferenceSetAttribute) set_preference;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
  decltype(&cublasLtMatmul) matmul;
};

extern const char* const cublaslt_file;  // "libcublasLt.so.13", of the major version this was compiled with

// Searched for as if the program were linked with it, and never closed. Throws ErrorKind::device where it cannot be
// loaded or lacks a function.
CublasLt load_cublaslt(const std::string& file);

const CublasLt& cublaslt();  // loaded once, by whichever thread comes first; after an error the next call tries again

}  // namespace ipa::cuda
