#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "engine/rng.h"
#include "kernels/change_map.h"

using namespace ipa;

namespace {

using Image = std::vector<float>;
using Map = std::vector<std::uint8_t>;
const PlaneSize size{80, 64};

Image noise(std::uint32_t sample, float level) {
  RandomSequence random(8, RandomUse::weights, 0, sample);
  Image image(size.pixels());
  for (float& v : image) v = level * random.normal();
  return image;
}

Map box(int row, int column, int height, int width) {
  Map map(size.pixels());
  for (int r = row; r < row + height; ++r)
    for (int c = column; c < column + width; ++c) map[size.at(r, c)] = 1;
  return map;
}

int area(const Map& map) { return std::accumulate(map.begin(), map.end(), 0); }

Image as_difference(const Map& map, float value = 1) {
  Image image(map.size());
  std::ranges::transform(map, image.begin(), [value](auto m) { return m != 0 ? value : 0.0f; });
  return image;
}

ChangeMapOptions plain(double threshold) { return {threshold, 0, 0, 0, 0}; }

}  // namespace

TEST_CASE("smoothing averages 3x3 pixels, fewer at the border, and keeps a NaN to itself", "[change]") {
  Image in(size.pixels()), out(size.pixels());
  out[size.at(10, 10)] = -9;
  out[size.at(0, 0)] = 4;
  const Image smooth = smoothed_difference(in, out, size);
  CHECK(smooth[size.at(11, 9)] == Approx(1));
  CHECK(smooth[size.at(12, 10)] == 0);
  CHECK(smooth[size.at(0, 0)] == Approx(1));
  out[size.at(40, 40)] = std::numeric_limits<float>::quiet_NaN();
  const Image with_nan = smoothed_difference(in, out, size);
  CHECK(std::isnan(with_nan[size.at(41, 41)]));
  CHECK(with_nan[size.at(42, 40)] == 0);
  CHECK(std::ranges::count_if(with_nan, [](float v) { return std::isnan(v); }) == 9);
  CHECK(area(change_map(with_nan, size, plain(0))) == 9 + 4);
}

TEST_CASE("each step of the map does what its name says", "[change]") {
  Map square = box(20, 20, 12, 10);
  CHECK(change_map(as_difference(square), size, plain(0.5)) == square);
  CHECK(area(change_map(as_difference(square), size, plain(1))) == 0);

  Map spiky = square;  // a line one pixel wide goes, the square stays
  for (int c = 30; c < 50; ++c) spiky[size.at(25, c)] = 1;
  CHECK(change_map(as_difference(spiky), size, {0.5, 1, 0, 0, 0}) == square);

  Map holed = square;  // a gap of 3x3 is closed by radius 2, not by radius 1
  for (int r = 24; r < 27; ++r)
    for (int c = 24; c < 27; ++c) holed[size.at(r, c)] = 0;
  CHECK(change_map(as_difference(holed), size, {0.5, 0, 2, 0, 0}) == square);
  CHECK(change_map(as_difference(holed), size, {0.5, 0, 1, 0, 0}) == holed);

  Map two = square;  // 3x3 apart from it, and one pixel touching the square's corner
  for (int r = 60; r < 63; ++r)
    for (int c = 50; c < 53; ++c) two[size.at(r, c)] = 1;
  two[size.at(32, 30)] = 1;
  Map kept = square;
  kept[size.at(32, 30)] = 1;
  CHECK(change_map(as_difference(two), size, {0.5, 0, 0, 10, 0}) == kept);
  CHECK(change_map(as_difference(two), size, {0.5, 0, 0, 9, 0}) == two);

  CHECK(change_map(as_difference(square), size, {0.5, 0, 0, 0, 2}) == box(18, 18, 16, 14));
  const Map corner = box(0, 0, 8, 8);  // opening and closing leave a square at the border as it is
  CHECK(change_map(as_difference(corner), size, {0.5, 1, 3, 25, 0}) == corner);
}

TEST_CASE("a filled hole is found whole and the composite is the input elsewhere, bit for bit", "[change]") {
  const Map hole = box(30, 20, 20, 24);
  Image in = noise(0, 0.3f), out = in;
  const Image wobble = noise(1, 0.01f), content = noise(2, 0.05f);
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (hole[i] != 0) in[i] = -1;
    out[i] = hole[i] != 0 ? 0.2f + content[i] : in[i] + wobble[i];
  }
  const ChangeMapOptions options{.threshold = default_change_threshold};
  const Map map = change_map(smoothed_difference(in, out, size), size, options);
  for (std::size_t i = 0; i < map.size(); ++i)
    if (hole[i] != 0) REQUIRE(map[i] == 1);
  CHECK(area(map) <= 26 * 30);  // 1 pixel of smoothing and 1 of dilation, and 1 to spare, on each side
  Image result(size.pixels());
  composite<float>(in, out, map, result);
  for (std::size_t i = 0; i < map.size(); ++i)
    REQUIRE(std::memcmp(&result[i], map[i] != 0 ? &out[i] : &in[i], sizeof(float)) == 0);
  CHECK(result != in);

  Map restricted = map;
  const Map mask = box(30, 20, 5, 5);
  restrict_to_mask(restricted, mask);
  CHECK(restricted == mask);
  composite<float>(in, out, restricted, in);  // in place
  CHECK(in[size.at(32, 22)] == out[size.at(32, 22)]);
  CHECK(in[size.at(40, 30)] == -1);
}

TEST_CASE("the composite copies any dtype", "[change]") {
  const std::vector<std::int16_t> in{1, 2, 3}, out{7, 8, 9};
  std::vector<std::int16_t> result(3);
  composite<std::int16_t>(in, out, Map{0, 1, 0}, result);
  CHECK(result == std::vector<std::int16_t>{1, 8, 3});
}

TEST_CASE("calibration finds the lowest threshold that keeps the false-change rate", "[change]") {
  std::vector<Image> differences;
  const Image zero(size.pixels());
  for (std::uint32_t i = 0; i < 8; ++i) {
    Image out = noise(10 + i, 0.05f);
    for (int r = 10; r < 20; ++r)  // a structure that the network gets wrong, differently strong in each slice
      for (int c = 10; c < 20; ++c) out[size.at(r, c)] += 0.1f * static_cast<float>(i);
    differences.push_back(smoothed_difference(zero, out, size));
  }
  for (double rate : {1e-2, 1e-3, 0.0}) {
    ChangeMapOptions options;
    options.threshold = calibrate_threshold(differences, size, rate);
    CHECK(change_rate(differences, size, options) <= rate);
    options.threshold *= 0.999;
    CHECK(change_rate(differences, size, options) > rate);
  }
  CHECK(calibrate_threshold(differences, size, 1e-2) < calibrate_threshold(differences, size, 1e-3));
  CHECK(calibrate_threshold(std::vector<Image>{zero}, size, 1e-3) == least_change_threshold);
}

TEST_CASE("a higher threshold never adds a pixel", "[change]") {
  const Image difference = smoothed_difference(Image(size.pixels()), noise(30, 0.2f), size);
  Map previous(size.pixels(), 1);
  for (double threshold = 0.1; threshold < 0.3; threshold += 0.01) {
    const Map map = change_map(difference, size, {.threshold = threshold, .min_area = 9});
    for (std::size_t i = 0; i < map.size(); ++i) REQUIRE(map[i] <= previous[i]);
    previous = map;
  }
}
