// What batch norm and the fused tails share: statistics per channel, over fixed blocks of rows in double, and the
// per-lane coefficients (kernels/lanes.h) with which the passes over the data apply them.
#pragma once

#include <cstdint>

#include "engine/tensor.h"
#include "kernels/lanes.h"
#include "kernels/scratch.h"
#include "kernels/side_by_side.h"

namespace ipa {

// One batch norm's parameters, vectors (1, 1, 1, C). gamma may be absent (no data): 1.
struct NormParameters {
  Tensor gamma, beta;
  Tensor running_mean, running_var;  // moved in training's forward pass; unused by the backward pass
  float eps = 1e-5f, momentum = 0.1f;

  float gamma_at(std::int64_t c) const { return gamma.data ? static_cast<const float*>(gamma.data)[c] : 1.0f; }
};

// Mean and second central moment of the blocks of a tensor's rows. A block is read twice while it lies in the cache,
// so that a mean large beside the deviation costs no precision.
struct Moments {
  double *mean, *m2;  // (blocks, C)

  Moments(Scratch& scratch, const Shape& x);
  // Measures rows [first, last) of x, packed and `channels` wide; channel 0 goes to mean[at] and m2[at].
  void measure(std::int64_t at, const float* x, std::int64_t channels, std::int64_t first, std::int64_t last) const;
  void measure(std::int64_t at, const SideBySide& x, std::int64_t channels, std::int64_t first,
               std::int64_t last) const;  // of any pitch: the same bits
};

// Of `rows` rows' mean and second central moment, C each: writes the batch's mean and 1 / sqrt(variance + eps)
// (population variance), and moves the running statistics: r = (1 - momentum) r + momentum batch, variance n / (n - 1)
// (n = 1: 0). If any channel's statistics are not finite, none of the running ones moves.
void finish_statistics(const Tensor& mean, const Tensor& invstd, const NormParameters& p, const double* m,
                       const double* m2, std::int64_t rows);

// Joins the blocks (Chan, Golub, LeVeque 1979) and finishes. `moments` is overwritten.
void finish_moments(const Tensor& mean, const Tensor& invstd, const NormParameters& p, const Moments& moments,
                    std::int64_t rows);

// The same of the sums of x and of x^2 over all rows, as channel_sums.h makes them. m, m2: C doubles of workspace each.
void finish_known_sums(const Tensor& mean, const Tensor& invstd, const NormParameters& p, const Tensor& sums, double* m,
                       double* m2, std::int64_t rows);

// y = (x - mean) scale + shift, by lane: scale = gamma invstd, shift = beta.
struct NormLanes {
  float *mean, *scale, *shift;

  NormLanes(Scratch& scratch, const Lanes& l);
  void fill(const Lanes& l, const Tensor& mean_vector, const Tensor& invstd, const NormParameters& p) const;
  float operator()(float x, std::int64_t lane) const { return (x - mean[lane]) * scale[lane] + shift[lane]; }
};

// The gradient of a batch norm, dx = scale (dy - mean_dy - (x - mean) slope), by lane:
// mean_dy = sum(dy) / n, slope = sum(dy (x - mean)) invstd^2 / n.
struct NormGradientLanes {
  float *mean_dy, *slope;

  NormGradientLanes(Scratch& scratch, const Lanes& l);
  // sums[0] = sum(dy), sums[1] = sum(dy (x - mean)), C numbers each. Writes dgamma and dbeta too.
  void fill(const Lanes& l, const Tensor& dgamma, const Tensor& dbeta, const double* sum_dy, const double* sum_dy_x,
            const Tensor& invstd, std::int64_t rows) const;
  float operator()(float dy, float x, const NormLanes& norm, std::int64_t lane) const {
    return norm.scale[lane] * (dy - mean_dy[lane] - (x - norm.mean[lane]) * slope[lane]);
  }
};

// Adds the blocks' sums (blocks, K, C) up, in order, into the first block's.
void add_blocks(double* sums, std::int64_t blocks, std::int64_t width);

}  // namespace ipa
