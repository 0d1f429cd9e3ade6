// What finite differences cannot say of max_pool2: where the gradient of a tie goes, and what a NaN does.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "kernels/resample.h"

using namespace ipa;

namespace {

constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();

// One window (y0x0, y0x1, y1x0, y1x1) in each of `channels` equal channels; the gradient is 1.
struct Pooled {
  std::vector<float> y, dx;
};
Pooled pool(const std::vector<float>& window, std::size_t channels) {
  std::vector<float> x;
  for (const float v : window) x.insert(x.end(), channels, v);
  Pooled p{std::vector<float>(channels), std::vector<float>(x.size())};
  std::vector<float> dy(channels, 1);
  const auto c = static_cast<std::int64_t>(channels);
  const TensorSpec wide{{1, 2, 2, c}}, narrow{{1, 1, 1, c}};
  Stream stream;
  max_pool2_forward(stream, {p.y.data(), narrow}, {x.data(), wide});
  max_pool2_backward(stream, {p.dx.data(), wide}, {dy.data(), narrow}, {x.data(), wide});
  return p;
}

void check_winner(const std::vector<float>& window, std::size_t winner) {
  for (const std::size_t channels : {1u, 3u, 8u, 17u}) {
    const Pooled p = pool(window, channels);
    for (std::size_t i = 0; i < p.dx.size(); ++i) CHECK(p.dx[i] == (i / channels == winner ? 1.0f : 0.0f));
    for (const float y : p.y) CHECK((y == window[winner] || (std::isnan(y) && std::isnan(window[winner]))));
  }
}

}  // namespace

TEST_CASE("max_pool2: the gradient of a tie goes to the first in row order") {
  check_winner({0, 0, 0, 0}, 0);
  check_winner({-1, 2, 2, 2}, 1);
  check_winner({1, 0, 2, 2}, 2);
  check_winner({2, 1, 0, 2}, 0);
  check_winner({-4, -3, -2, -1}, 3);
}

TEST_CASE("max_pool2: a NaN wins, the last of several, as in PyTorch") {
  check_winner({nan_value, 5, 6, 7}, 0);
  check_winner({1, nan_value, 6, 7}, 1);
  check_winner({1, nan_value, 6, nan_value}, 3);
}

TEST_CASE("max_pool2: the gradient may be written over the input") {
  std::vector<float> x{1, 2, 3, 0, 5, 4, 7, 7}, dy{10, 20};
  const TensorSpec wide{{1, 2, 4, 1}}, narrow{{1, 1, 2, 1}};
  Stream stream;
  max_pool2_backward(stream, {x.data(), wide}, {dy.data(), narrow}, {x.data(), wide});
  CHECK(x == std::vector<float>{0, 0, 0, 0, 10, 0, 20, 0});
}
