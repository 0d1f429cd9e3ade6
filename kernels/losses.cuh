// Device code of losses.h. Forward: partial sums per block and a second launch (scalar_sum.cuh). Backward and
// vgg_input: a thread takes groups of eight channels, grid-stride. Scalars in lists: one warp. Padding is 0 in both
// operands of a difference, so that it adds nothing to a sum and gets no gradient; a logit of 0 has a loss, so that bce
// counts its channels.
#pragma once

#include "kernels/losses.h"
#include "kernels/math.h"
#include "kernels/scalar_sum.cuh"

namespace ipa {

template <class T>
struct BceTerm {
  const T* z;
  Groups groups;
  BceWithLogits bce;
  __device__ float operator()(std::int64_t i) const {
    const Numbers8 x = load8(z + 8 * i);
    const std::int64_t valid = groups.valid(i);
    float sum = 0;
    for (int c = 0; c < 8; ++c)
      if (c < valid) sum += bce.value(x.v[c]);
    return sum;
  }
};

// dz may be z
template <class T>
__global__ void __launch_bounds__(threads_per_block)
    bce_gradient_kernel(T* dz, const T* z, const float* dloss, float elements, Groups groups, BceWithLogits bce) {
  const float factor = dloss[0] / elements;
  for (std::int64_t i = first_item(); i < groups.count; i += item_stride()) {
    Numbers8 x = load8(z + 8 * i);
    for (int c = 0; c < 8; ++c) x.v[c] = factor * bce.slope_at(x.v[c]);
    zero_padding(x, groups.valid(i));
    store8(dz + 8 * i, x);
  }
}

__device__ __forceinline__ float absolute_difference(const Numbers8& a, const Numbers8& b) {
  float sum = 0;
  for (int c = 0; c < 8; ++c) sum += std::fabs(a.v[c] - b.v[c]);
  return sum;
}

// factor sign(a - b), and 0 where both are equal whatever the factor, as in the padding
__device__ __forceinline__ Numbers8 l1_slopes(const Numbers8& a, const Numbers8& b, float factor) {
  Numbers8 d;
  for (int c = 0; c < 8; ++c) {
    const float difference = a.v[c] - b.v[c];
    d.v[c] = difference > 0.0f ? factor : difference < 0.0f ? -factor : difference;
  }
  return d;
}

template <class T>
struct L1Term {
  const T *a, *b;
  __device__ float operator()(std::int64_t i) const { return absolute_difference(load8(a + 8 * i), load8(b + 8 * i)); }
};

template <class T>
struct L1Gradient {
  T* da;  // may be a
  const T *a, *b;
  const float* dloss;
  float elements;
};

template <class T>
__global__ void __launch_bounds__(threads_per_block) l1_gradient_kernel(JobList<L1Gradient<T>> list) {
  const int k = list.job_of_block();
  const L1Gradient<T> job = list.job[k];
  const std::int64_t groups = list.groups[k], stride = list.group_stride(k);
  const float factor = job.dloss[0] / job.elements;
  for (std::int64_t i = list.first_group(k); i < groups; i += stride)
    store8(job.da + 8 * i, l1_slopes(load8(job.a + 8 * i), load8(job.b + 8 * i), factor));
}

// A grid of (blocks, images): partial[2 (image blocks + block)] = number of holes, and behind it the sum of |a - b|.
template <class T>
__global__ void __launch_bounds__(threads_per_block)
    masked_l1_partial_kernel(double* partial, const T* a, const T* b, const T* mask, Groups image) {
  auto* area = shared_memory<double>();
  const std::int64_t first = blockIdx.y * image.count, first_pixel = blockIdx.y * (image.count / image.per_pixel);
  double holes = 0, sum = 0;
  for (std::int64_t i = first_item(); i < image.count; i += item_stride()) {
    const float hole = to_float(mask[8 * (first_pixel + image.pixel(i))]);
    sum += static_cast<double>(hole * absolute_difference(load8(a + 8 * (first + i)), load8(b + 8 * (first + i))));
    if (image.channel(i) == 0) holes += static_cast<double>(hole);
  }
  holes = block_sum(holes, area);
  sum = block_sum(sum, area + warps_per_block);
  if (threadIdx.x == 0) {
    double* own = partial + 2 * (static_cast<std::int64_t>(blockIdx.y) * gridDim.x + blockIdx.x);
    own[0] = holes;
    own[1] = sum;
  }
}

// One block, a warp an image in turn. `share` has a pitch of 8.
__global__ void __launch_bounds__(threads_per_block)
    masked_l1_finish_kernel(float* loss, float* share, const double* partial, int blocks, int images, double channels) {
  const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  double total = 0;
  for (int n = warp; n < images; n += static_cast<int>(warps_per_block)) {
    double holes = 0, sum = 0;
    for (int b = lane; b < blocks; b += 32) {
      const double* own = partial + 2 * (static_cast<std::int64_t>(n) * blocks + b);
      holes += own[0];
      sum += own[1];
    }
    holes = warp_sum(holes);
    sum = warp_sum(sum);
    const double part = holes == 0 ? 0 : 1 / (images * channels * holes);
    if (lane < 8) share[8 * n + lane] = lane == 0 ? static_cast<float>(part) : 0.0f;
    total += part * sum;
  }
  total = block_sum(lane == 0 ? total : 0, shared_memory<double>());
  if (threadIdx.x == 0) loss[0] = static_cast<float>(total);
}

// A grid of (blocks, images); da may be a.
template <class T>
__global__ void __launch_bounds__(threads_per_block)
    masked_l1_gradient_kernel(T* da, const T* a, const T* b, const T* mask, const float* share, const float* dloss,
                              Groups image) {
  const std::int64_t first = blockIdx.y * image.count, first_pixel = blockIdx.y * (image.count / image.per_pixel);
  const float factor = dloss[0] * share[8 * blockIdx.y];
  for (std::int64_t i = first_item(); i < image.count; i += item_stride()) {
    const std::int64_t at = 8 * (first + i);
    const float hole = to_float(mask[8 * (first_pixel + image.pixel(i))]);
    store8(da + at, l1_slopes(load8(a + at), load8(b + at), factor * hole));
  }
}

// One warp.
__global__ void weighted_sum_kernel(float* sum, ScalarList terms, const float* weights) {
  const int i = static_cast<int>(threadIdx.x);
  double term = 0;
  if (i < terms.count) term = static_cast<double>(weights[i]) * static_cast<double>(terms.at[i][0]);
  term = warp_sum(term);
  if (i == 0) sum[0] = static_cast<float>(term);
}

// One warp.
__global__ void weighted_sum_gradient_kernel(ScalarList dterms, const float* weights, const float* dsum) {
  const int i = static_cast<int>(threadIdx.x);
  if (i < dterms.count) dterms.at[i][0] = weights[i] * dsum[0];
}

template <class T>
__global__ void __launch_bounds__(threads_per_block) vgg_input_kernel(T* y, const T* x, std::int64_t pixels) {
  for (std::int64_t p = first_item(); p < pixels; p += item_stride()) {
    const float grey = to_float(x[8 * p]);
    store8(y + 8 * p, {{vgg_value(grey, 0), vgg_value(grey, 1), vgg_value(grey, 2)}});
  }
}

template <class T>
__global__ void __launch_bounds__(threads_per_block)
    vgg_input_gradient_kernel(T* dx, const T* dy, std::int64_t pixels) {
  for (std::int64_t p = first_item(); p < pixels; p += item_stride()) {
    const Numbers8 d = load8(dy + 8 * p);
    store8(dx + 8 * p, {{127.5f * (d.v[0] + d.v[1] + d.v[2])}});
  }
}

}  // namespace ipa
