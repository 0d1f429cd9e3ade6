#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "engine/error.h"
#include "engine/rng.h"
#include "kernels/harmonic.h"

using namespace ipa;

namespace {

using Image = std::vector<float>;
using Mask = std::vector<std::uint8_t>;

Image random_image(PlaneSize size, std::uint32_t sample) {
  RandomSequence random(1, RandomUse::weights, 0, sample);
  Image image(size.pixels());
  for (float& v : image) v = random.uniform(-1, 1);
  return image;
}

Mask random_mask(PlaneSize size, float share, std::uint32_t sample) {
  RandomSequence random(2, RandomUse::weights, 0, sample);
  Mask mask(size.pixels());
  for (auto& m : mask) m = random.uniform() < share;
  return mask;
}

Mask box_mask(PlaneSize size, int row, int column, int height, int width) {
  Mask mask(size.pixels());
  for (int r = row; r < row + height; ++r)
    for (int c = column; c < column + width; ++c) mask[size.at(r, c)] = 1;
  return mask;
}

// Gauss elimination with pivots of the full system, one equation per pixel: an independent, dense way to the same fill.
std::vector<double> dense_fill(const Image& image, const Mask& mask, PlaneSize size) {
  const std::size_t n = size.pixels();
  std::vector<std::vector<double>> a(n, std::vector<double>(n + 1));
  for (int r = 0; r < size.height; ++r)
    for (int c = 0; c < size.width; ++c) {
      const std::size_t i = size.at(r, c);
      a[i][i] = 1;
      if (mask[i] == 0) {
        a[i][n] = image[i];
        continue;
      }
      std::vector<std::size_t> around;
      if (r > 0) around.push_back(size.at(r - 1, c));
      if (c > 0) around.push_back(size.at(r, c - 1));
      if (c + 1 < size.width) around.push_back(size.at(r, c + 1));
      if (r + 1 < size.height) around.push_back(size.at(r + 1, c));
      for (std::size_t other : around) a[i][other] = -1.0 / static_cast<double>(around.size());
    }
  for (std::size_t k = 0; k < n; ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k; i < n; ++i)
      if (std::abs(a[i][k]) > std::abs(a[pivot][k])) pivot = i;
    std::swap(a[k], a[pivot]);
    for (std::size_t i = 0; i < n; ++i) {
      const double factor = i == k ? 0 : a[i][k] / a[k][k];
      if (factor != 0)
        for (std::size_t j = k; j <= n; ++j) a[i][j] -= factor * a[k][j];
    }
  }
  std::vector<double> u(n);
  for (std::size_t i = 0; i < n; ++i) u[i] = a[i][n] / a[i][i];
  return u;
}

}  // namespace

TEST_CASE("the fill is the solution of the dense system", "[harmonic]") {
  const PlaneSize size{13, 11};
  std::vector<Mask> masks{box_mask(size, 3, 3, 5, 6), box_mask(size, 0, 0, 6, 5), box_mask(size, 2, 0, 9, 11),
                          random_mask(size, 0.5f, 0), random_mask(size, 0.95f, 1)};
  for (std::size_t m = 0; m < masks.size(); ++m) {
    const Image original = random_image(size, static_cast<std::uint32_t>(m));
    Image filled = original;
    harmonic_fill(filled, masks[m], size);
    const std::vector<double> expected = dense_fill(original, masks[m], size);
    INFO("mask " << m);
    for (std::size_t i = 0; i < filled.size(); ++i) {
      if (masks[m][i] == 0)
        REQUIRE(filled[i] == original[i]);
      else
        REQUIRE(std::abs(filled[i] - expected[i]) < 1e-6);
    }
  }
}

TEST_CASE("a ramp is continued exactly, a constant bit for bit", "[harmonic]") {
  const PlaneSize size{48, 40};
  Image ramp(size.pixels()), original;
  for (int r = 0; r < size.height; ++r)
    for (int c = 0; c < size.width; ++c) ramp[size.at(r, c)] = 0.5f * static_cast<float>(r) - 2 * static_cast<float>(c);
  original = ramp;
  const Mask mask = box_mask(size, 5, 5, 30, 25);
  for (std::size_t i = 0; i < ramp.size(); ++i)
    if (mask[i] != 0) ramp[i] = 1e6f;
  harmonic_fill(ramp, mask, size);
  for (std::size_t i = 0; i < ramp.size(); ++i) REQUIRE(ramp[i] == Approx(original[i]).margin(1e-4));

  Image constant(size.pixels(), 0.3f);
  constant[size.at(10, 10)] = 9;
  harmonic_fill(constant, mask, size);
  CHECK(std::ranges::all_of(constant, [](float v) { return v == 0.3f; }));
}

TEST_CASE("a large hole of a large slice obeys the maximum principle and the equation", "[harmonic]") {
  const PlaneSize size{256, 256};
  const Image original = random_image(size, 9);
  for (const Mask& mask : {box_mask(size, 0, 60, 200, 190), box_mask(size, 90, 90, 64, 64)}) {
    Image filled = original;
    harmonic_fill(filled, mask, size);
    float low = 1, high = -1;
    double worst = 0;
    for (int r = 0; r < size.height; ++r)
      for (int c = 0; c < size.width; ++c) {
        if (mask[size.at(r, c)] == 0) continue;
        double sum = 0, count = 0;
        for (const auto [dr, dc] : {std::array{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
          if (r + dr < 0 || r + dr >= size.height || c + dc < 0 || c + dc >= size.width) continue;
          const std::size_t other = size.at(r + dr, c + dc);
          if (mask[other] == 0) low = std::min(low, original[other]), high = std::max(high, original[other]);
          sum += filled[other];
          ++count;
        }
        worst = std::max(worst, std::abs(filled[size.at(r, c)] - sum / count));
      }
    CHECK(worst < 1e-6);
    for (std::size_t i = 0; i < filled.size(); ++i)
      if (mask[i] != 0) REQUIRE((filled[i] >= low && filled[i] <= high));
    Image again = original;
    harmonic_fill(again, mask, size);
    CHECK(again == filled);
  }
}

TEST_CASE("no hole changes nothing; a hole without a border is an input error", "[harmonic]") {
  const PlaneSize size{4, 5};
  const Image original = random_image(size, 3);
  Image image = original;
  harmonic_fill(image, Mask(20), size);
  CHECK(image == original);
  CHECK_THROWS_AS(harmonic_fill(image, Mask(20, 1), size), Error);
}
