// What the cases of batch_norm cannot say: numbers that are not finite, and the running variance of one pixel.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "kernels/batch_norm.h"
#include "tests/support/array.h"

using namespace ipa;
using namespace ipa::test;

namespace {

struct Norm {
  std::vector<float> beta, mean, variance, batch_mean, batch_invstd;

  explicit Norm(std::int64_t channels)
      : beta(n(channels), 0), mean(beta.size(), 3), variance(beta.size(), 5), batch_mean(beta), batch_invstd(beta) {}

  std::vector<float> forward(std::vector<float> x, const Shape& shape, Activation a = {}) {
    std::vector<float> y(x.size()), workspace(batch_norm_workspace_bytes({}, shape) / sizeof(float));
    const TensorSpec vector{vector_shape(shape.c)};
    Stream stream;
    batch_norm_forward(stream, {y.data(), {shape}}, {batch_mean.data(), vector}, {batch_invstd.data(), vector},
                       {x.data(), {shape}},
                       {.beta = {beta.data(), vector},
                        .running_mean = {mean.data(), vector},
                        .running_var = {variance.data(), vector},
                        .eps = 1e-3f,
                        .momentum = 0.25f},
                       a, workspace.data());
    return y;
  }

 private:
  static std::size_t n(std::int64_t channels) { return static_cast<std::size_t>(channels); }
};

}  // namespace

TEST_CASE("statistics that are not finite leave the running ones of all channels alone, and show in the output") {
  const float bad = GENERATE(std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity());
  Norm norm(2);
  const std::vector<float> y = norm.forward({1, 2, bad, 4, 5, 6}, {1, 1, 3, 2}, relu_activation);
  CHECK(norm.mean == std::vector<float>{3, 3});
  CHECK(norm.variance == std::vector<float>{5, 5});
  for (const int i : {0, 2, 4}) CHECK(std::isnan(y[static_cast<std::size_t>(i)]));
  for (const int i : {1, 3, 5}) CHECK(std::isfinite(y[static_cast<std::size_t>(i)]));
}

TEST_CASE("the running variance is unbiased, and of one pixel 0") {
  Norm two(1), one(1);
  two.forward({1, 5}, {2, 1, 1, 1});
  CHECK(two.mean[0] == Approx(0.75 * 3 + 0.25 * 3));
  CHECK(two.variance[0] == Approx(0.75 * 5 + 0.25 * 8));  // ((1 - 3)^2 + (5 - 3)^2) / (2 - 1)
  one.forward({7}, {1, 1, 1, 1});
  CHECK(one.mean[0] == Approx(0.75 * 3 + 0.25 * 7));
  CHECK(one.variance[0] == Approx(0.75 * 5));
}

TEST_CASE("a first value far from all others costs the variance no precision") {
  const Shape shape{1, 1, 5000, 1};
  std::vector<float> x(5000, 1.0f);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += i % 2 ? 1e-3f : -1e-3f;
  x[0] = 1000;
  double mean = 0, variance = 0;
  for (const float v : x) mean += v / 5000.0;
  for (const float v : x) variance += (v - mean) * (v - mean) / 5000.0;
  Norm norm(1);
  norm.forward(x, shape);
  CHECK(norm.batch_mean[0] == Approx(mean).epsilon(1e-6));
  CHECK(norm.batch_invstd[0] == Approx(1 / std::sqrt(variance + double{1e-3f})).epsilon(1e-6));
}
