// Sums of whole tensors to one number each, and scalars in lists. A thread adds eight channels in fp32 and these in
// double, grid-stride; warps and blocks add in double in a fixed order; each block leaves one partial sum in the
// workspace, and a second launch of one block a sum adds those. Shared memory: one double a warp.
#pragma once

#include <span>

#include "kernels/numbers8.cuh"
#include "kernels/scalar_sum.h"

namespace ipa {

constexpr unsigned warps_per_block = threads_per_block / 32;
constexpr std::size_t block_sum_bytes = warps_per_block * sizeof(double);

__device__ __forceinline__ double warp_sum(double value) {
  for (int mask = 16; mask > 0; mask /= 2) value += shuffle_xor(value, mask);
  return value;
}

// The sum over the block, in all threads. `area`: block_sum_bytes of shared memory that nothing else of the kernel
// uses.
__device__ __forceinline__ double block_sum(double value, double* area) {
  value = warp_sum(value);
  if (threadIdx.x % 32 == 0) area[threadIdx.x / 32] = value;
  __syncthreads();
  double sum = 0;
  for (unsigned w = 0; w < warps_per_block; ++w) sum += area[w];
  return sum;
}

// Several tensors in one launch, each with its own range of blocks.
constexpr int most_jobs = 8;
template <class Job>
struct JobList {
  Job job[most_jobs];
  std::int64_t groups[most_jobs];
  unsigned first_block[most_jobs + 1] = {};
  int count = 0;

  void add(const Job& j, std::int64_t groups_of_job, std::int64_t blocks) {
    require(count < most_jobs, "kernel: too many tensors for one launch");
    job[count] = j;
    groups[count] = groups_of_job;
    first_block[count + 1] = first_block[count] + static_cast<unsigned>(blocks);
    ++count;
  }
  unsigned blocks() const { return first_block[count]; }

  __device__ int job_of_block() const {
    int k = 0;
    while (first_block[k + 1] <= blockIdx.x) ++k;
    return k;
  }
  // The job's groups, in turn over its threads: for (i = first_group(k); i < groups[k]; i += group_stride(k)).
  __device__ std::int64_t first_group(int k) const {
    return static_cast<std::int64_t>(blockIdx.x - first_block[k]) * blockDim.x + threadIdx.x;
  }
  __device__ std::int64_t group_stride(int k) const {
    return static_cast<std::int64_t>(first_block[k + 1] - first_block[k]) * blockDim.x;
  }
};

// result[0] = factor sum_i term(i) over the groups of a tensor; `term` returns the sum over its channels.
template <class Term>
struct ScalarSum {
  Term term;
  float* result;
  double factor;
};

template <class Term>
__global__ void __launch_bounds__(threads_per_block)
    partial_sums_kernel(double* partial, JobList<ScalarSum<Term>> list) {
  const int k = list.job_of_block();
  const Term term = list.job[k].term;
  const std::int64_t groups = list.groups[k], stride = list.group_stride(k);
  double sum = 0;
  for (std::int64_t i = list.first_group(k); i < groups; i += stride) sum += static_cast<double>(term(i));
  sum = block_sum(sum, shared_memory<double>());
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

template <class Term>
__global__ void __launch_bounds__(threads_per_block)
    finish_sums_kernel(JobList<ScalarSum<Term>> list, const double* partial) {
  const unsigned k = blockIdx.x, last = list.first_block[k + 1];
  double sum = 0;
  for (unsigned b = list.first_block[k] + threadIdx.x; b < last; b += blockDim.x) sum += partial[b];
  sum = block_sum(sum, shared_memory<double>());
  if (threadIdx.x == 0) list.job[k].result[0] = static_cast<float>(list.job[k].factor * sum);
}

template <class Term>
void add_sum(JobList<ScalarSum<Term>>& list, const Tensor& x, Term term, const Tensor& result, double factor) {
  const std::int64_t groups = groups_of_eight(x.shape);
  list.add({term, result.f32(), factor}, groups, sum_blocks(groups));
}

// Two launches. `workspace`: scalar_sum_workspace_bytes of each tensor of the list.
template <class Term>
void launch_sums(Stream& stream, const JobList<ScalarSum<Term>>& list, void* workspace) {
  auto* partial = static_cast<double*>(workspace);
  launch(stream, list.blocks(), threads_per_block, block_sum_bytes, partial_sums_kernel<Term>, partial, list);
  launch(stream, static_cast<unsigned>(list.count), threads_per_block, block_sum_bytes, finish_sums_kernel<Term>, list,
         partial);
}

// Scalars, one for each lane of a warp.
struct ScalarList {
  static constexpr int most = 32;
  float* at[most] = {};
  int count = 0;

  explicit ScalarList(std::span<const Tensor> scalars) : count(static_cast<int>(scalars.size())) {
    require(count <= most, "kernel: too many scalars for one launch");
    for (int i = 0; i < count; ++i) at[i] = scalars[static_cast<std::size_t>(i)].f32();
  }
};

}  // namespace ipa
