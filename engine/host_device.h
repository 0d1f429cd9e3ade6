// Marks functions that run on the host and in CUDA kernels.
#pragma once

#ifdef __CUDACC__
#define IPA_HD __host__ __device__ __forceinline__
#else
#define IPA_HD inline
#endif
