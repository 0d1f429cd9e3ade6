#include "kernels/window_maps.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/error.h"

namespace ipa {
namespace {

constexpr int gauss_side = 11, uqi_side = 8;

std::array<double, gauss_side> gauss_weights() {
  constexpr double sigma = 1.5;
  std::array<double, gauss_side> weights{};
  double sum = 0;
  for (int i = 0; i < gauss_side; ++i) {
    const double d = i - gauss_side / 2;
    sum += weights[static_cast<std::size_t>(i)] = std::exp(-d * d / (2 * sigma * sigma));
  }
  for (double& w : weights) w /= sum;
  return weights;
}

// An empty map for a slice smaller than the window.
WindowMap make_map(PlaneSize size, int side, int offset) {
  WindowMap map{{std::max(0, size.height - side + 1), std::max(0, size.width - side + 1)}, offset, {}};
  if (map.size.pixels() == 0) map.size = {0, 0};
  map.values.resize(map.size.pixels());
  return map;
}

// The four weighted moments that SSIM needs, of one row of windows.
enum Moment { mean_x, mean_y, mean_squares, mean_product, moments };
using MomentRows = std::array<std::vector<double>, moments>;

}  // namespace

WindowMap ssim_map(std::span<const std::uint8_t> x, std::span<const std::uint8_t> y, PlaneSize size) {
  require(x.size() == size.pixels() && y.size() == size.pixels(), "ssim_map: the images do not have the size given");
  WindowMap map = make_map(size, gauss_side, gauss_side / 2);
  const std::array<double, gauss_side> weights = gauss_weights();
  const auto width = static_cast<std::size_t>(size.width), windows = static_cast<std::size_t>(map.size.width);
  constexpr double c1 = (0.01 * 255) * (0.01 * 255), c2 = (0.03 * 255) * (0.03 * 255);

  MomentRows columns, rows;  // weighted down the columns; then along the row too
  for (int m = 0; m < moments; ++m) {
    columns[static_cast<std::size_t>(m)].resize(width);
    rows[static_cast<std::size_t>(m)].resize(windows);
  }
  for (int r = 0; r < map.size.height; ++r) {
    for (auto& column : columns) std::fill(column.begin(), column.end(), 0.0);
    for (int k = 0; k < gauss_side; ++k) {
      const double w = weights[static_cast<std::size_t>(k)];
      const std::uint8_t *px = x.data() + size.at(r + k, 0), *py = y.data() + size.at(r + k, 0);
      for (std::size_t i = 0; i < width; ++i) {
        const double a = px[i], b = py[i];
        columns[mean_x][i] += w * a;
        columns[mean_y][i] += w * b;
        columns[mean_squares][i] += w * (a * a + b * b);
        columns[mean_product][i] += w * (a * b);
      }
    }
    for (std::size_t m = 0; m < moments; ++m) {
      std::fill(rows[m].begin(), rows[m].end(), 0.0);
      for (std::size_t k = 0; k < gauss_side; ++k)
        for (std::size_t i = 0; i < windows; ++i) rows[m][i] += weights[k] * columns[m][i + k];
    }
    double* out = map.values.data() + map.size.at(r, 0);
    for (std::size_t i = 0; i < windows; ++i) {
      const double mx = rows[mean_x][i], my = rows[mean_y][i], product = mx * my, squares = mx * mx + my * my;
      const double variances = rows[mean_squares][i] - squares, covariance = rows[mean_product][i] - product;
      out[i] = (2 * product + c1) * (2 * covariance + c2) / ((squares + c1) * (variances + c2));
    }
  }
  return map;
}

namespace {

// Sums over a window; all of them, and what quality() forms of them, are exact in double for 8-bit images.
struct Sums {
  double x, y, squares, product;
};

double quality(double n_cov, double n_var, double product, double squares) {
  const double denominator = n_var * squares;
  if (denominator != 0) return 4 * n_cov * product / denominator;
  return squares != 0 ? 2 * product / squares : 1.0;
}

double wang_quality(const Sums& s) {
  constexpr double n = uqi_side * uqi_side;
  const double product = s.x * s.y, squares = s.x * s.x + s.y * s.y;
  return quality(n * s.product - product, n * s.squares - squares, product, squares);
}

// sewar puts the means E = S / N where the formula has S; N E[xy] is then the plain sum of xy.
double sewar_quality(const Sums& s) {
  constexpr double n = uqi_side * uqi_side;
  const double mx = s.x / n, my = s.y / n, product = mx * my, squares = mx * mx + my * my;
  return quality(s.product - product, s.squares - squares, product, squares);
}

}  // namespace

UqiMaps uqi_maps(std::span<const std::uint8_t> x, std::span<const std::uint8_t> y, PlaneSize size) {
  require(x.size() == size.pixels() && y.size() == size.pixels(), "uqi_maps: the images do not have the size given");
  UqiMaps maps{make_map(size, uqi_side, uqi_side / 2), make_map(size, uqi_side + 1, uqi_side / 2)};
  if (maps.wang.values.empty()) return maps;

  struct Column {
    std::int32_t x, y, squares, product;
  };
  std::vector<Column> columns(static_cast<std::size_t>(size.width), Column{});  // sums over the window's rows
  const auto slide = [&](int row, std::int32_t sign) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const std::int32_t a = x[size.at(row, 0) + i], b = y[size.at(row, 0) + i];
      columns[i].x += sign * a;
      columns[i].y += sign * b;
      columns[i].squares += sign * (a * a + b * b);
      columns[i].product += sign * a * b;
    }
  };
  for (int row = 0; row < uqi_side - 1; ++row) slide(row, 1);
  for (int r = 0; r < maps.wang.size.height; ++r) {
    slide(r + uqi_side - 1, 1);
    Column sum{};
    for (int c = 0; c < size.width; ++c) {
      const Column& in = columns[static_cast<std::size_t>(c)];
      sum = {sum.x + in.x, sum.y + in.y, sum.squares + in.squares, sum.product + in.product};
      const int first = c - uqi_side + 1;
      if (first < 0) continue;
      const Sums s{double(sum.x), double(sum.y), double(sum.squares), double(sum.product)};
      maps.wang.values[maps.wang.size.at(r, first)] = wang_quality(s);
      if (r < maps.sewar.size.height && first < maps.sewar.size.width)
        maps.sewar.values[maps.sewar.size.at(r, first)] = sewar_quality(s);
      const Column& out = columns[static_cast<std::size_t>(first)];
      sum = {sum.x - out.x, sum.y - out.y, sum.squares - out.squares, sum.product - out.product};
    }
    slide(r, -1);
  }
  return maps;
}

}  // namespace ipa
