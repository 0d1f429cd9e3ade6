// What the device code of batch norm and of the fused tails shares: the counterpart of channel_stats.h.
#pragma once

#include <cmath>

#include "kernels/channel_stats.h"
#include "kernels/channel_sums.cuh"

namespace ipa {

// A thread's part of the sums of x and x^2. It adds up, in fp32, differences from its own first pixel and only then
// goes over to double, where a mean of up to 1e5 deviations costs no precision; nor does a pixel far from all others,
// for it is the shift of one thread at most. `first` may be any pixel where the thread has none.
struct Moments8 {
  Numbers8 shift, sum{}, square{};
  int count = 0;

  __device__ explicit Moments8(const Numbers8& first) : shift(first) {}
  __device__ void add(const Numbers8& x) {
    for (int i = 0; i < 8; ++i) {
      const float d = x.v[i] - shift.v[i];
      sum.v[i] += d;
      square.v[i] += d * d;
    }
    ++count;
  }
  // Quantities k (sum of x) and k + 1 (sum of x^2) of store_sums().
  __device__ void store(double* parts, int quantities, int k, const ChannelGrid& grid,
                        const ChannelThread& thread) const {
    const double n = count;
    double total[8];
    for (int i = 0; i < 8; ++i) total[i] = sum.v[i] + n * shift.v[i];
    store_sums(parts, quantities, k, grid, thread, total);
    for (int i = 0; i < 8; ++i) total[i] = square.v[i] + shift.v[i] * (2.0 * sum.v[i] + n * shift.v[i]);
    store_sums(parts, quantities, k + 1, grid, thread, total);
  }
};

// The sums of x and of x^2, for finish_sums<2>.
template <class T>
__global__ void __launch_bounds__(ChannelGrid::threads, 2) moments_kernel(double* parts, const T* x, ChannelGrid grid) {
  const ChannelThread thread(grid);
  x += thread.channel;
  Moments8 moments(load8(x + thread.any * grid.pitch()));
  thread.for_pixels<16 / sizeof(T)>(
      grid, [&](std::int64_t p) { return load8(x + p * grid.pitch()); },
      [&](std::int64_t, const Numbers8& v) { moments.add(v); });
  moments.store(parts, 2, 0, grid, thread);
}

struct StoreSums {  // as f32, (2, pitch)
  float* to;
  std::int64_t pitch;
  __device__ void operator()(std::int64_t c, const double* sums) const {
    to[c] = static_cast<float>(sums[0]);
    to[pitch + c] = static_cast<float>(sums[1]);
  }
};

// The statistics of one norm's input on their way: finish() makes them of the sums, in finish_sums_kernel; move() moves
// the running ones, in a later kernel, because it must first know whether those of all channels are finite.
struct ChannelStatistics {
  float *mean, *invstd;  // of the batch, written to the pitch
  float *running_mean, *running_var;
  double *exact_mean, *unbiased_var;  // workspace
  double pixels, eps, momentum;
  int channels;

  // `memory`: 2 C doubles.
  ChannelStatistics(const Tensor& mean_vector, const Tensor& invstd_vector, const NormParameters& p, const Shape& x,
                    double* memory)
      : mean(mean_vector.f32()),
        invstd(invstd_vector.f32()),
        running_mean(p.running_mean.f32()),
        running_var(p.running_var.f32()),
        exact_mean(memory),
        unbiased_var(memory + x.c),
        pixels(static_cast<double>(x.pixels())),
        eps(double{p.eps}),
        momentum(double{p.momentum}),
        channels(static_cast<int>(x.c)) {}

  // sums: of x and of x^2 over the pixels of channel c; also for padding.
  __device__ void finish(std::int64_t c, const double* sums) const {
    const bool exists = c < channels;
    const double m = sums[0] / pixels, squares = sums[1] - sums[0] * m, m2 = squares < 0 ? 0 : squares;
    mean[c] = exists ? static_cast<float>(m) : 0.0f;
    invstd[c] = exists ? static_cast<float>(1 / sqrt(m2 / pixels + eps)) : 0.0f;
    if (!exists) return;
    exact_mean[c] = m;
    unbiased_var[c] = pixels > 1 ? m2 / (pixels - 1) : m2;
  }

  // For all threads of one block, with move_shared_bytes of shared memory. The rule is finish_moments()'s.
  __device__ void move() const {
    int* shared = shared_memory<int>();
    int bad = 0;
    for (int c = static_cast<int>(threadIdx.x); c < channels; c += static_cast<int>(blockDim.x))
      bad |= !finite(exact_mean[c]) || !finite(unbiased_var[c]);
    bad = __any_sync(0xffffffffu, bad);
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = bad;
    __syncthreads();
    for (unsigned w = 0; w < blockDim.x / 32; ++w) bad |= shared[w];
    if (bad) return;
    for (int c = static_cast<int>(threadIdx.x); c < channels; c += static_cast<int>(blockDim.x)) {
      running_mean[c] = static_cast<float>((1 - momentum) * running_mean[c] + momentum * exact_mean[c]);
      running_var[c] = static_cast<float>((1 - momentum) * running_var[c] + momentum * unbiased_var[c]);
    }
  }

 private:
  __device__ static bool finite(double x) { return fabs(static_cast<float>(x)) < INFINITY; }
};

constexpr std::size_t move_shared_bytes = ChannelGrid::threads / 32 * sizeof(int);

struct FinishStatistics {  // of one norm; a functor for more calls more
  ChannelStatistics of;
  __device__ void operator()(std::int64_t c, const double* sums) const { of.finish(c, sums); }
};

// Eight channels of a norm that is known, y = (x - mean) scale + shift, as NormLanes: scale = gamma invstd.
struct NormVectors {
  const float *gamma, *beta, *mean, *invstd;  // gamma may be null: 1

  NormVectors(const NormParameters& p, const Tensor& mean_vector, const Tensor& invstd_vector)
      : gamma(p.gamma.data ? p.gamma.f32() : nullptr),
        beta(p.beta.f32()),
        mean(mean_vector.f32()),
        invstd(invstd_vector.f32()) {}

  __device__ NormVectors reread() const {  // gpu.h
    NormVectors v = *this;
    if (gamma != nullptr) v.gamma = ipa::reread(gamma);
    v.beta = ipa::reread(beta), v.mean = ipa::reread(mean), v.invstd = ipa::reread(invstd);
    return v;
  }
};
struct Norm8 {
  Numbers8 mean, scale, shift;

  __device__ Norm8(const NormVectors& v, std::int64_t channel)
      : mean(load8(v.mean + channel)), scale(load8(v.invstd + channel)), shift(load8(v.beta + channel)) {
    if (v.gamma == nullptr) return;
    const Numbers8 gamma = load8(v.gamma + channel);
    for (int i = 0; i < 8; ++i) scale.v[i] *= gamma.v[i];
  }
  __device__ float operator()(float x, int i) const { return (x - mean.v[i]) * scale.v[i] + shift.v[i]; }
};

// Makes dgamma and dbeta of the sums of dy and of dy (x - mean); also their padding, which is 0 as the sums are.
struct FinishNormGradient {
  float *dgamma, *dbeta;
  const float* invstd;

  __device__ void operator()(std::int64_t c, const double* sums) const {
    dgamma[c] = static_cast<float>(sums[1] * invstd[c]);
    dbeta[c] = static_cast<float>(sums[0]);
  }
};

// Its gradient, dx = scale (dy - mean_dy - (x - mean) slope), as NormGradientLanes, from what FinishNormGradient wrote:
// mean_dy = dbeta / pixels, slope = dgamma invstd / pixels.
struct NormGradient8 {
  Numbers8 mean_dy, slope;

  __device__ NormGradient8(const FinishNormGradient& from, std::int64_t pixels, std::int64_t channel)
      : mean_dy(load8(from.dbeta + channel)), slope(load8(from.dgamma + channel)) {
    const Numbers8 invstd = load8(from.invstd + channel);
    const float by = 1 / static_cast<float>(pixels);
    for (int i = 0; i < 8; ++i) {
      mean_dy.v[i] *= by;
      slope.v[i] *= by * invstd.v[i];
    }
  }
  __device__ float operator()(float dy, float x, const Norm8& norm, int i) const {
    return norm.scale.v[i] * (dy - mean_dy.v[i] - (x - norm.mean.v[i]) * slope.v[i]);
  }
};

}  // namespace ipa
