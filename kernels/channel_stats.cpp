#include "kernels/channel_stats.h"

#include <cmath>

#include "kernels/channel_sums.h"

namespace ipa {

Moments::Moments(Scratch& scratch, const Shape& x) {
  const std::int64_t count = reduction_blocks(x.pixels(), x.c) * x.c;
  mean = scratch.take<double>(count);
  m2 = scratch.take<double>(count);
}

namespace {

// load(buffer, at, lane, count): where elements of the rows are, or the buffer that they were copied to.
template <class Load>
void measure_rows(const Moments& moments, std::int64_t to, const Load& load, std::int64_t channels, std::int64_t first,
                  std::int64_t last) {
  const Lanes l(channels);
  const double n = static_cast<double>(last - first);
  const std::int64_t width = l.width(), unrolled = first + (last - first) / (4 * l.rows) * (4 * l.rows);
  alignas(64) float shift[most_lanes], buffers[4][most_lanes];
  LaneSums<2> sums;
  double *sum = sums.of[0], *square = sums.of[1];
  for_pieces(l, [&](std::int64_t lane, std::int64_t count) {
    // Roughly the mean, in fp32: what it lacks is in the sum of the differences from it.
    std::fill_n(shift, count, 0.0f);
    for_rows(l, first, last, lane, count, [&](std::int64_t at, std::int64_t m) {
      const float* x = load(buffers[0], at, lane, m);
#pragma omp simd
      for (std::int64_t i = 0; i < m; ++i) shift[i] += x[i];
    });
    for (std::int64_t i = channels; i < count; ++i) shift[i % channels] += shift[i];
    for (std::int64_t i = 0; i < count; ++i)
      shift[i] = i < channels ? shift[i] / static_cast<float>(n) : shift[i - channels];

    sums.clear(count);
    for (std::int64_t row = first; row < unrolled; row += 4 * l.rows) {  // the accumulators are touched once for four
      auto rows = [&](int k) { return load(buffers[k], row * channels + k * width + lane, lane, count); };
      const float *a = rows(0), *b = rows(1), *c = rows(2), *d = rows(3);
#pragma omp simd
      for (std::int64_t i = 0; i < count; ++i) {
        const double u = a[i] - shift[i], v = b[i] - shift[i], w = c[i] - shift[i], z = d[i] - shift[i];
        sum[i] += (u + v) + (w + z);
        square[i] += (u * u + v * v) + (w * w + z * z);
      }
    }
    for_rows(l, unrolled, last, lane, count, [&](std::int64_t at, std::int64_t m) {
      const float* x = load(buffers[0], at, lane, m);
#pragma omp simd
      for (std::int64_t i = 0; i < m; ++i) {
        const double u = x[i] - shift[i];
        sum[i] += u;
        square[i] += u * u;
      }
    });
    sums.fold(l, count);
    for (std::int64_t c = 0; c < std::min(count, channels); ++c) {
      moments.mean[to + lane + c] = shift[c] + sum[c] / n;
      moments.m2[to + lane + c] = square[c] - sum[c] * sum[c] / n;
    }
  });
}

}  // namespace

void Moments::measure(std::int64_t at, const float* x, std::int64_t channels, std::int64_t first,
                      std::int64_t last) const {
  auto in_memory = [x](float*, std::int64_t element, std::int64_t, std::int64_t) { return x + element; };
  measure_rows(*this, at, in_memory, channels, first, last);
}

void Moments::measure(std::int64_t at, const SideBySide& x, std::int64_t channels, std::int64_t first,
                      std::int64_t last) const {
  auto load = [&x](float* buffer, std::int64_t element, std::int64_t lane, std::int64_t count) {
    return x.load(buffer, element, lane, count);
  };
  measure_rows(*this, at, load, channels, first, last);
}

void finish_statistics(const Tensor& mean, const Tensor& invstd, const NormParameters& p, const double* m,
                       const double* m2, std::int64_t rows) {
  const std::int64_t channels = mean.shape.c;
  const double n = static_cast<double>(rows), unbiased = rows > 1 ? 1 / (n - 1) : 1 / n;
  bool finite = true;
  for (std::int64_t c = 0; c < channels; ++c) {
    mean.f32()[c] = static_cast<float>(m[c]);
    invstd.f32()[c] = static_cast<float>(1 / std::sqrt(m2[c] / n + double{p.eps}));
    finite &= std::isfinite(mean.f32()[c]) && std::isfinite(static_cast<float>(m2[c] * unbiased));
  }
  if (!finite) return;
  float *rm = p.running_mean.f32(), *rv = p.running_var.f32();
  for (std::int64_t c = 0; c < channels; ++c) {
    rm[c] = static_cast<float>((1 - double{p.momentum}) * rm[c] + double{p.momentum} * m[c]);
    rv[c] = static_cast<float>((1 - double{p.momentum}) * rv[c] + double{p.momentum} * m2[c] * unbiased);
  }
}

void finish_moments(const Tensor& mean, const Tensor& invstd, const NormParameters& p, const Moments& moments,
                    std::int64_t rows) {
  const std::int64_t channels = mean.shape.c, step = reduction_rows(channels);
  double *m = moments.mean, *m2 = moments.m2;  // of the rows joined so far
  for (std::int64_t first = step, block = 1; first < rows; first += step, ++block) {
    const double here = static_cast<double>(std::min(step, rows - first)), before = static_cast<double>(first);
    const double *mb = m + block * channels, *m2b = m2 + block * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      const double d = mb[c] - m[c];
      m[c] += d * here / (before + here);
      m2[c] += m2b[c] + d * d * before * here / (before + here);
    }
  }
  finish_statistics(mean, invstd, p, m, m2, rows);
}

void finish_known_sums(const Tensor& mean, const Tensor& invstd, const NormParameters& p, const Tensor& sums, double* m,
                       double* m2, std::int64_t rows) {
  const std::int64_t channels = mean.shape.c;
  require(sums.packed() && sums.shape == channel_sums_shape(channels), "batch norm: the sums are of another width");
  for (std::int64_t c = 0; c < channels; ++c) {
    const double sum = sums.f32()[c], squares = sums.f32()[channels + c];
    m[c] = sum / static_cast<double>(rows);
    m2[c] = squares - sum * m[c];
    if (m2[c] < 0) m2[c] = 0;  // a NaN stays
  }
  finish_statistics(mean, invstd, p, m, m2, rows);
}

NormLanes::NormLanes(Scratch& scratch, const Lanes& l)
    : mean(scratch.take<float>(l.width())),
      scale(scratch.take<float>(l.width())),
      shift(scratch.take<float>(l.width())) {}

void NormLanes::fill(const Lanes& l, const Tensor& mean_vector, const Tensor& invstd, const NormParameters& p) const {
  const float *m = mean_vector.f32(), *s = invstd.f32(), *b = p.beta.f32();
  tile(mean, l, [=](std::int64_t c) { return m[c]; });
  tile(scale, l, [&](std::int64_t c) { return p.gamma_at(c) * s[c]; });
  tile(shift, l, [=](std::int64_t c) { return b[c]; });
}

NormGradientLanes::NormGradientLanes(Scratch& scratch, const Lanes& l)
    : mean_dy(scratch.take<float>(l.width())), slope(scratch.take<float>(l.width())) {}

void NormGradientLanes::fill(const Lanes& l, const Tensor& dgamma, const Tensor& dbeta, const double* sum_dy,
                             const double* sum_dy_x, const Tensor& invstd, std::int64_t rows) const {
  const double n = static_cast<double>(rows);
  const float* s = invstd.f32();
  for (std::int64_t c = 0; c < l.channels; ++c) {
    dgamma.f32()[c] = static_cast<float>(sum_dy_x[c] * s[c]);
    dbeta.f32()[c] = static_cast<float>(sum_dy[c]);
  }
  tile(mean_dy, l, [=](std::int64_t c) { return static_cast<float>(sum_dy[c] / n); });
  tile(slope, l, [=](std::int64_t c) { return static_cast<float>(sum_dy_x[c] * s[c] * s[c] / n); });
}

void add_blocks(double* sums, std::int64_t blocks, std::int64_t width) {
  for (std::int64_t b = 1; b < blocks; ++b)
    for (std::int64_t i = 0; i < width; ++i) sums[i] += sums[b * width + i];
}

}  // namespace ipa
