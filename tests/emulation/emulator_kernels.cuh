// Small kernels that try what gpu.h promises, one thing each; test_emulator.cpp runs them, nvcc compiles them too.
#pragma once

#include "kernels/gpu.h"

namespace ipa::emulator_kernels {

// out[i] = i's own indices, each in one decimal place.
__global__ void write_indices(int* out) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const unsigned digits =
      threadIdx.x + 10 * threadIdx.y + 100 * threadIdx.z + 1000 * blockIdx.x + 10000 * blockIdx.y + 100000 * blockIdx.z;
  out[block * (blockDim.x * blockDim.y * blockDim.z) + thread] = static_cast<int>(digits);
}

struct Scale {
  float factor;
  IPA_HD float operator()(float x) const { return factor * x; }
};

template <class F>
__global__ void map(float* y, const float* x, int count, F f) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) y[i] = f(x[i]);
}

// sum[block] = the sum of the block's part of x; blockDim.x floats of shared memory.
__global__ void block_sum(float* sum, const float* x) {
  float* part = shared_memory<float>();
  const unsigned i = threadIdx.x;
  part[i] = x[blockIdx.x * blockDim.x + i];
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (i < half) part[i] += part[i + half];
    __syncthreads();
  }
  if (i == 0) sum[blockIdx.x] = part[0];
}

// Reverses 32 numbers per warp through shared memory.
__global__ void reverse_in_warp(float* y, const float* x) {
  float* part = shared_memory<float>();
  const unsigned i = threadIdx.x, warp = i / 32 * 32;
  part[i] = x[i];
  __syncwarp();
  y[i] = part[warp + 31 - i % 32];
}

// y[i] = x[i - 1] in each block of x: a kernel whose missing barrier does not show where threads run in order.
__global__ void shift(float* y, const float* x) {
  float* part = shared_memory<float>();
  const unsigned i = threadIdx.x;
  part[i] = x[i];
  __syncthreads();  // of shift
  y[i] = i > 0 ? part[i - 1] : 0.0f;
}

__global__ void barrier_in_branch() {
  if (threadIdx.x < 40)
    __syncthreads();
  else
    __syncthreads();
}

__global__ void barrier_for_some() {
  if (threadIdx.x < 40) __syncthreads();
}

__global__ void shuffle_in_branch(int* out) {
  int v = static_cast<int>(threadIdx.x);
  if (v % 2)
    v = shuffle_xor(v, 2);
  else
    v = shuffle_xor(v, 4);
  out[threadIdx.x] = v;
}

__global__ void warp_against_block() {
  if (threadIdx.x == 5)
    __syncwarp();
  else
    __syncthreads();
}

__global__ void write_shared(int at) { shared_memory<unsigned char>()[at] = 1; }

__global__ void read_shared(float* out) { *out = shared_memory<float>()[threadIdx.x]; }

__global__ void load_at(const unsigned char* from, std::uint32_t* out) { *out = load_vector(from).word[0]; }

// (32 lanes, 7): shfl, xor, down, up, ballot, any, all; then the warp's sum.
__global__ void shuffles(int* out, float* sum) {
  constexpr unsigned all = 0xffffffffu;
  const int i = static_cast<int>(threadIdx.x);
  int* mine = out + 7 * i;
  mine[0] = __shfl_sync(all, 100 + i, (i + 3) % 32);
  mine[1] = shuffle_xor(100 + i, 5);
  mine[2] = shuffle_down(100 + i, 4);
  mine[3] = __shfl_up_sync(all, 100 + i, 4);
  mine[4] = static_cast<int>(__ballot_sync(all, i % 3 == 0));
  mine[5] = __any_sync(all, i == 31);
  mine[6] = __all_sync(all, i < 31);
  sum[i] = warp_sum(static_cast<float>(i) + 0.5f);
}

__device__ __forceinline__ std::uint32_t pair(const bf16* lower, const bf16* upper) {
  return lower->bits | static_cast<std::uint32_t>(upper->bits) << 16;
}

// D += A B for A (16, 16), B (16, 8), D (16, 8), row-major, loaded as gpu.h's table says.
__global__ void mma_tile(float* d, const bf16* a, const bf16* b) {
  const unsigned g = threadIdx.x / 4, t = threadIdx.x % 4;
  std::uint32_t fa[4], fb[2];
  for (unsigned i = 0; i < 4; ++i) {
    const bf16* p = a + (g + i % 2 * 8) * 16 + 2 * t + i / 2 * 8;
    fa[i] = pair(p, p + 1);
  }
  for (unsigned i = 0; i < 2; ++i) {
    const bf16* p = b + (2 * t + i * 8) * 8 + g;
    fb[i] = pair(p, p + 8);
  }
  float fd[4];
  for (unsigned i = 0; i < 4; ++i) fd[i] = d[(g + i / 2 * 8) * 8 + 2 * t + i % 2];
  mma_m16n8k16(fd, fa, fb);
  for (unsigned i = 0; i < 4; ++i) d[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = fd[i];
}

// The same product with both operands through shared memory, cp.async and ldmatrix; 1 KiB of it.
__global__ void mma_tile_ldmatrix(float* d, const bf16* a, const bf16* b) {
  bf16* sa = shared_memory<bf16>();  // (16, 16)
  bf16* sb = sa + 256;               // (16, 8), twice: ldmatrix_x4 fills four matrices
  const unsigned i = threadIdx.x, g = i / 4, t = i % 4;
  copy_async16(sa + 8 * i, a + 8 * i);
  copy_async16(sb + 8 * i, b + 8 * (i % 16));
  commit_copies();
  wait_copies<0>();
  __syncwarp();
  std::uint32_t fa[4], fb[4];
  ldmatrix_x4(fa, sa + i % 16 * 16 + i / 16 * 8);
  ldmatrix_x4_trans(fb, sb + 8 * i);
  float fd[4];
  for (unsigned k = 0; k < 4; ++k) fd[k] = d[(g + k / 2 * 8) * 8 + 2 * t + k % 2];
  mma_m16n8k16(fd, fa, {fb[0], fb[1]});
  for (unsigned k = 0; k < 4; ++k) d[(g + k / 2 * 8) * 8 + 2 * t + k % 2] = fd[k];
}

// Two groups of copies; out gets the first words of both before any wait, after the first group's and after all.
__global__ void copy_in_groups(const std::uint32_t* from, std::uint32_t* out) {
  std::uint32_t* shared = shared_memory<std::uint32_t>();  // 8 words
  for (int k = 0; k < 8; ++k) shared[k] = 7;
  copy_async16(shared, from);
  commit_copies();
  copy_async16(shared + 4, from + 4);
  commit_copies();
  out[0] = shared[0], out[1] = shared[4];
  wait_copies<1>();
  out[2] = shared[0], out[3] = shared[4];
  wait_copies<0>();
  out[4] = shared[3], out[5] = shared[7];
}

// y = x, 16 bytes at a time.
__global__ void copy_vectors(float* y, const float* x) {
  const unsigned i = 4 * (blockIdx.x * blockDim.x + threadIdx.x);
  store_vector(y + i, load_vector(x + i));
}

// Needs `depth` frames of about 1 KiB.
__device__ inline int recurse(int depth) {
  volatile int frame[256];
  for (int i = 0; i < 256; ++i) frame[i] = depth;
  return depth == 0 ? frame[0] : recurse(depth - 1) + frame[depth % 256];
}
__global__ void deep_stack(int* out, int depth) { *out = recurse(depth); }

}  // namespace ipa::emulator_kernels
