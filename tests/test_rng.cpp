#include <catch2/catch.hpp>
#include <cmath>
#include <set>
#include <vector>

#include "engine/rng.h"

using namespace ipa;

TEST_CASE("Philox4x32-10 gives the published words", "[rng]") {
  // The known-answer vectors of the Random123 library.
  constexpr std::uint32_t ones = 0xFFFFFFFFu;
  STATIC_REQUIRE(Philox{{0, 0}}({0, 0, 0, 0}) == Philox::Block{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u});
  STATIC_REQUIRE(Philox{{ones, ones}}({ones, ones, ones, ones}) ==
                 Philox::Block{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu});
  STATIC_REQUIRE(Philox{{0xa4093822u, 0x299f31d0u}}({0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}) ==
                 Philox::Block{0xd16cfe09u, 0x94fdcceb, 0x5001e420u, 0x24126ea1u});
}

TEST_CASE("a sequence is the words of consecutive blocks of its counter", "[rng]") {
  const std::uint64_t seed = 0x0123456789abcdefull;
  RandomSequence sequence(seed, RandomUse::flip, 77, 5);
  const Philox philox{{0x89abcdefu, 0x01234567u}};
  for (std::uint32_t element = 0; element < 10; ++element) {
    const auto block = philox({element / 4, 5, 77, static_cast<std::uint32_t>(RandomUse::flip)});
    CHECK(sequence.bits() == block[element % 4]);
  }
}

TEST_CASE("sequences of another seed, use, step or sample differ", "[rng]") {
  std::set<std::uint32_t> first;
  for (std::uint64_t seed : {0ull, 1ull, 1ull << 32})
    for (RandomUse use : {RandomUse::weights, RandomUse::mask_train, RandomUse::mask_test})
      for (std::uint64_t step : {0ull, 1ull, 2ull})
        for (std::uint32_t sample : {0u, 1u, 2u}) first.insert(RandomSequence(seed, use, step, sample).bits());
  CHECK(first.size() == 81);
}

TEST_CASE("uniform floats lie in [0, 1) and are even", "[rng]") {
  CHECK(uniform01(0) == 0.0f);
  CHECK(uniform01(0xFFFFFFFFu) < 1.0f);
  RandomSequence random(3, RandomUse::weights, 0, 0);
  constexpr int n = 200000, bins = 16;
  std::vector<int> histogram(bins);
  for (int i = 0; i < n; ++i) ++histogram[static_cast<std::size_t>(random.uniform() * bins)];
  for (int count : histogram) CHECK(std::abs(count - n / bins) < 5 * std::sqrt(double(n) / bins));
}

TEST_CASE("integers below n are all reached and even, also where n does not divide 2^32", "[rng]") {
  RandomSequence random(4, RandomUse::weights, 0, 0);
  for (std::uint32_t n : {1u, 2u, 7u, 193u}) {
    std::vector<int> histogram(n);
    const int draws = 2000 * static_cast<int>(n);
    for (int i = 0; i < draws; ++i) {
      const std::uint32_t value = random.below(n);
      REQUIRE(value < n);
      ++histogram[value];
    }
    for (int count : histogram) CHECK(std::abs(count - 2000) < 6 * std::sqrt(2000.0));
  }
  // n = 3 * 2^30: a plain product would favour every third value twice.
  int third = 0;
  for (int i = 0; i < 30000; ++i) third += random.below(3u << 30) % 3 == 0;
  CHECK(std::abs(third - 10000) < 500);
}

TEST_CASE("normal numbers have the moments of the normal distribution", "[rng]") {
  RandomSequence random(5, RandomUse::weights, 0, 0);
  constexpr int n = 200000;
  double sum = 0, squares = 0, fourths = 0;
  for (int i = 0; i < n; ++i) {
    const double x = random.normal();
    REQUIRE(std::isfinite(x));
    sum += x;
    squares += x * x;
    fourths += x * x * x * x;
  }
  CHECK(sum / n == Approx(0).margin(0.01));
  CHECK(squares / n == Approx(1).margin(0.02));
  CHECK(fourths / n == Approx(3).margin(0.12));
  CHECK(std::isfinite(normal_pair(0xFFFFFFFFu, 0)[0]));
  CHECK(normal_pair(0, 0)[0] == 0.0f);
}
