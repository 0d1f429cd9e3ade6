#include "kernels/harmonic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "engine/error.h"

namespace ipa {
namespace {

// The Laplace equation on the hole, A u = b: A = (number of neighbours) on the diagonal, -1 per neighbour in the hole,
// b = the sum of known neighbours. Unknowns in row order; a missing neighbour points to the slot after the last
// unknown, which stays 0.
struct System {
  std::vector<std::size_t> pixels;
  std::vector<std::array<std::uint32_t, 4>> neighbours;
  std::vector<double> diagonal, b;
  double low = 0, high = 0;  // range of the known neighbours
  bool bounded = false;      // there is a known neighbour
};

System assemble(std::span<const float> image, std::span<const std::uint8_t> mask, PlaneSize size) {
  System s;
  std::vector<std::uint32_t> index(size.pixels());
  for (std::size_t i = 0; i < mask.size(); ++i)
    if (mask[i] != 0) {
      index[i] = static_cast<std::uint32_t>(s.pixels.size());
      s.pixels.push_back(i);
    }
  const auto none = static_cast<std::uint32_t>(s.pixels.size());
  for (const std::size_t pixel : s.pixels) {
    const int row = static_cast<int>(pixel / static_cast<std::size_t>(size.width));
    const int column = static_cast<int>(pixel % static_cast<std::size_t>(size.width));
    std::array<std::uint32_t, 4> neighbours{none, none, none, none};
    double count = 0, known = 0;
    std::size_t slot = 0;
    for (const auto [r, c] : {std::array{row - 1, column}, {row, column - 1}, {row, column + 1}, {row + 1, column}}) {
      if (r < 0 || r >= size.height || c < 0 || c >= size.width) continue;
      const std::size_t other = size.at(r, c);
      ++count;
      if (mask[other] != 0) {
        neighbours[slot++] = index[other];
        continue;
      }
      const double value = image[other];
      known += value;
      s.low = s.bounded ? std::min(s.low, value) : value;
      s.high = s.bounded ? std::max(s.high, value) : value;
      s.bounded = true;
    }
    s.neighbours.push_back(neighbours);
    s.diagonal.push_back(count);
    s.b.push_back(known);
  }
  return s;
}

void apply(const System& s, const std::vector<double>& u, std::vector<double>& out) {
  for (std::size_t i = 0; i < s.pixels.size(); ++i) {
    const auto& n = s.neighbours[i];
    out[i] = s.diagonal[i] * u[i] - (u[n[0]] + u[n[1]]) - (u[n[2]] + u[n[3]]);
  }
}

double dot(const System& s, const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < s.pixels.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

void harmonic_fill(std::span<float> image, std::span<const std::uint8_t> mask, PlaneSize size) {
  require(image.size() == size.pixels() && mask.size() == size.pixels(),
          "harmonic_fill: image and mask differ in size");
  const System s = assemble(image, mask, size);
  if (s.pixels.empty()) return;
  if (!s.bounded)
    fail(ErrorKind::input, "a mask covers the whole slice", "harmonic fill", "nothing is left to fill from");

  // Conjugate gradients in double. The error is at most |A^-1| times the residual, and |A^-1| of a hole L wide about
  // L^2 / 8 (the tallest solution of A u = 1), so a residual of 1e-9 of the range leaves 1e-4 up to L = 800.
  const std::size_t n = s.pixels.size();
  const double range = s.high - s.low, tolerance = 1e-9 * range;
  std::vector<double> u(n + 1, (s.low + s.high) / 2), residual(n + 1, 0.0), direction(n + 1, 0.0), product(n + 1, 0.0);
  u[n] = 0;
  apply(s, u, product);
  for (std::size_t i = 0; i < n; ++i) direction[i] = residual[i] = s.b[i] - product[i];
  double square = dot(s, residual, residual);
  for (std::size_t step = 0; std::sqrt(square) > tolerance && step < 10 * n; ++step) {
    apply(s, direction, product);
    const double alpha = square / dot(s, direction, product);
    for (std::size_t i = 0; i < n; ++i) {
      u[i] += alpha * direction[i];
      residual[i] -= alpha * product[i];
    }
    const double next = dot(s, residual, residual), beta = next / square;
    for (std::size_t i = 0; i < n; ++i) direction[i] = residual[i] + beta * direction[i];
    square = next;
  }
  for (std::size_t i = 0; i < n; ++i) image[s.pixels[i]] = static_cast<float>(std::clamp(u[i], s.low, s.high));
}

}  // namespace ipa
