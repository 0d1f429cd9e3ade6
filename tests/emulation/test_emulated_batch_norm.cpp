// What test_batch_norm.cpp asks of the CPU, asked of the device code: numbers that are not finite, numbers far away.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "kernels/batch_norm.h"
#include "tests/support/device_under_test.h"

using namespace ipa;

namespace {

constexpr Device device{Device::Kind::cuda, 0};

std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

// Vectors and pixels are padded to a multiple of 8 channels; what the emulator calls the device's memory is the host's.
struct Norm {
  Shape shape;
  std::int64_t pitch;
  std::vector<float> x, beta, mean, variance, batch_mean, batch_invstd;

  explicit Norm(const Shape& s, float value = 0)
      : shape(s),
        pitch(padded_to_8(s.c)),
        x(size(s.pixels() * pitch)),
        beta(size(pitch)),
        mean(beta),
        variance(beta),
        batch_mean(beta),
        batch_invstd(beta) {
    for (std::int64_t p = 0; p < s.pixels(); ++p) std::fill_n(&at(p, 0), s.c, value);
    std::fill_n(mean.begin(), s.c, 3.0f);
    std::fill_n(variance.begin(), s.c, 5.0f);
  }

  float& at(std::int64_t pixel, std::int64_t channel) { return x[size(pixel * pitch + channel)]; }

  void forward(Activation a = {}) {  // in place
    const std::size_t bytes = batch_norm_workspace_bytes(device, shape);
    std::vector<double> workspace(bytes / sizeof(double), std::numeric_limits<double>::quiet_NaN());
    Stream stream(device);
    const Tensor t(x.data(), {shape}, device);
    batch_norm_forward(stream, t, vector(batch_mean), vector(batch_invstd), t,
                       {.beta = vector(beta),
                        .running_mean = vector(mean),
                        .running_var = vector(variance),
                        .eps = 1e-3f,
                        .momentum = 0.25f},
                       a, workspace.data());
    stream.wait();
  }

 private:
  Tensor vector(std::vector<float>& v) const { return {v.data(), {vector_shape(shape.c)}, device}; }
};

}  // namespace

TEST_CASE("on CUDA too, statistics that are not finite leave the running ones of all channels alone") {
  const float bad = GENERATE(std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity());
  const std::uint64_t schedule = GENERATE(0, 1, 2, 3);
  const std::int64_t channel = GENERATE(0, 149, 299), pixel = GENERATE(0, 2);
  test::set_schedule(schedule);
  Norm norm({1, 1, 3, 300}, 1.0f);
  norm.at(1, 7) = 2;
  norm.at(pixel, channel) = bad;
  const std::vector<float> mean = norm.mean, variance = norm.variance;
  norm.forward(relu_activation);
  test::set_schedule(0);
  CHECK(norm.mean == mean);
  CHECK(norm.variance == variance);
  for (std::int64_t p = 0; p < 3; ++p)
    for (std::int64_t c = 0; c < norm.shape.c; ++c) CHECK(std::isnan(norm.at(p, c)) == (c == channel));
}

TEST_CASE("on CUDA too, the running variance of one pixel is 0") {
  Norm one({1, 1, 1, 1}, 7.0f);
  one.forward();
  CHECK(one.mean[0] == Approx(0.75 * 3 + 0.25 * 7));
  CHECK(one.variance[0] == Approx(0.75 * 5));
}

TEST_CASE("on CUDA too, a first value far from all others costs the variance no precision") {
  Norm norm({1, 1, 5000, 1}, 1.0f);
  for (std::int64_t p = 0; p < 5000; ++p) norm.at(p, 0) += p % 2 ? 1e-3f : -1e-3f;
  norm.at(0, 0) = 1000;
  double mean = 0, variance = 0;
  for (std::int64_t p = 0; p < 5000; ++p) mean += norm.at(p, 0) / 5000.0;
  for (std::int64_t p = 0; p < 5000; ++p) variance += std::pow(norm.at(p, 0) - mean, 2) / 5000.0;
  norm.forward();
  CHECK(norm.batch_mean[0] == Approx(mean).epsilon(1e-6));
  CHECK(norm.batch_invstd[0] == Approx(1 / std::sqrt(variance + double{1e-3f})).epsilon(1e-6));
}

TEST_CASE("on CUDA too, a mean of ten thousand deviations costs the variance no precision") {
  Norm norm({1, 1, 5000, 1}, 1024.0f);
  for (std::int64_t p = 0; p < 5000; ++p) norm.at(p, 0) += p % 2 ? 0.125f : -0.125f;  // exact in fp32
  norm.forward();
  CHECK(norm.batch_mean[0] == 1024.0f);
  CHECK(norm.batch_invstd[0] == Approx(1 / std::sqrt(0.125 * 0.125 + double{1e-3f})).epsilon(1e-6));
}
