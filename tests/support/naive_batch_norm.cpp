#include "tests/support/naive_batch_norm.h"

#include <cmath>

namespace ipa::test {

NaiveBatchNorm naive_batch_norm(const Array& x, const Array* gamma, const Array& beta, const Array& running_mean,
                                const Array& running_var, double eps, double momentum) {
  NaiveBatchNorm r{Array(x.shape), running_mean, running_var};
  const std::int64_t channels = x.shape.c, n = x.shape.pixels();
  for (std::int64_t c = 0; c < channels; ++c) {
    double mean = 0, variance = 0;
    for (std::int64_t p = 0; p < n; ++p) mean += x[p * channels + c] / static_cast<double>(n);
    for (std::int64_t p = 0; p < n; ++p)
      variance += (x[p * channels + c] - mean) * (x[p * channels + c] - mean) / static_cast<double>(n);
    for (std::int64_t p = 0; p < n; ++p)
      r.y[p * channels + c] =
          (gamma ? (*gamma)[c] : 1) * (x[p * channels + c] - mean) / std::sqrt(variance + eps) + beta[c];
    const double unbiased = n > 1 ? variance * static_cast<double>(n) / static_cast<double>(n - 1) : variance;
    r.running_mean[c] += momentum * (mean - r.running_mean[c]);
    r.running_var[c] += momentum * (unbiased - r.running_var[c]);
  }
  return r;
}

}  // namespace ipa::test
