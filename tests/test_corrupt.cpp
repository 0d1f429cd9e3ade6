#include <catch2/catch.hpp>
#include <vector>

#include "kernels/corrupt.h"

using namespace ipa;

TEST_CASE("a hole value is a fraction of the range in the pixel's own type", "[corrupt]") {
  CHECK(hole_value<float>(0, -1, 1) == -1.0f);
  CHECK(hole_value<float>(0.75, -1, 1) == 0.5f);
  CHECK(hole_value<std::uint8_t>(0.5, 0, 255) == 128);
  CHECK(hole_value<std::uint16_t>(1, 0, 1e6) == 65535);
  CHECK(hole_value<std::int16_t>(0, -1e6, 0) == -32768);
  CHECK(hole_value<std::int16_t>(0.25, -100, 100) == -50);
}

TEST_CASE("blanking touches the hole alone", "[corrupt]") {
  std::vector<std::uint16_t> image{1, 2, 3, 4};
  const std::vector<std::uint8_t> mask{0, 1, 0, 255};
  blank(std::span(image), mask, 9);
  CHECK(image == std::vector<std::uint16_t>{1, 9, 3, 9});
  CHECK_THROWS(blank(std::span(image), std::span(mask).first(3), 9));
}

TEST_CASE("a flip mirrors every row and is its own inverse", "[corrupt]") {
  const std::vector<float> original{1, 2, 3, 4, 5, 6};
  std::vector<float> image = original;
  flip_left_right(std::span(image), {2, 3});
  CHECK(image == std::vector<float>{3, 2, 1, 6, 5, 4});
  flip_left_right(std::span(image), {2, 3});
  CHECK(image == original);
  CHECK_THROWS(flip_left_right(std::span(image), {2, 2}));
}
