#include <omp.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "engine/error.h"
#include "kernels/mask_shapes.h"
#include "kernels/masks.h"

using namespace ipa;

namespace {

using Mask = std::vector<std::uint8_t>;

int area(std::span<const std::uint8_t> mask) { return std::accumulate(mask.begin(), mask.end(), 0); }

Mask copy(std::span<const std::uint8_t> mask) { return {mask.begin(), mask.end()}; }

// A slice with a bright disc.
Mask disc_slice(PlaneSize size, int radius) {
  Mask slice(size.pixels());
  for (int r = 0; r < size.height; ++r)
    for (int c = 0; c < size.width; ++c) {
      const int dr = r - size.height / 2, dc = c - size.width / 2;
      slice[size.at(r, c)] = dr * dr + dc * dc <= radius * radius ? 120 : 10;
    }
  return slice;
}

}  // namespace

TEST_CASE("the area windows are the paper's pixel counts", "[masks]") {
  CHECK(area_window(MaskSplit::train, 256).least == 892);
  CHECK(area_window(MaskSplit::train, 256).most == 3578);
  CHECK(area_window(MaskSplit::test, 256).least == 1088);
  CHECK(area_window(MaskSplit::test, 256).most == 2988);
}

TEST_CASE("arbitrary masks lie in the window, fill it evenly and are all different", "[masks]") {
  for (int size : {96, 256})
    for (MaskSplit split : {MaskSplit::train, MaskSplit::test}) {
      const int count = default_mask_count(split);
      const MaskSet set = make_masks(MaskKind::arbitrary, split, count, size, 7);
      REQUIRE(set.count() == static_cast<std::size_t>(count));
      const AreaWindow window = area_window(split, size);
      std::vector<int> areas;
      std::set<std::string> different;
      for (std::size_t i = 0; i < set.count(); ++i) {
        REQUIRE(std::ranges::all_of(set[i], [](auto v) { return v <= 1; }));
        areas.push_back(area(set[i]));
        REQUIRE(areas.back() >= window.least);
        REQUIRE(areas.back() <= window.most);
        different.insert(std::string(set[i].begin(), set[i].end()));
      }
      CHECK(different.size() == set.count());
      std::ranges::sort(areas);
      const double stratum = double(window.most - window.least) / count;
      for (std::size_t k = 0; k < areas.size(); ++k)
        CHECK(std::abs(areas[k] - (window.least + (double(k) + 0.5) * stratum)) <= stratum + 3);
    }
}

TEST_CASE("masks follow from kind, split, count, size and seed alone", "[masks]") {
  const auto make = [](MaskSplit split, std::uint64_t seed, MaskKind kind = MaskKind::arbitrary) {
    return make_masks(kind, split, 12, 128, seed).pixels;
  };
  CHECK(make(MaskSplit::train, 1) == make(MaskSplit::train, 1));
  CHECK(make(MaskSplit::train, 1) != make(MaskSplit::train, 2));
  CHECK(make(MaskSplit::train, 1) != make(MaskSplit::test, 1));
  CHECK(make(MaskSplit::train, 1, MaskKind::square) != make(MaskSplit::test, 1, MaskKind::square));
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const std::vector<std::uint8_t> alone = make(MaskSplit::train, 1);
  omp_set_num_threads(3);
  CHECK(make(MaskSplit::train, 1) == alone);
  omp_set_num_threads(threads);
  // Pinned, so that a change of the generator does not go unnoticed: it would change every training.
  const MaskSet set = make_masks(MaskKind::square, MaskSplit::train, 1, 256, 0);
  CHECK(std::ranges::find(set.pixels, 1) - set.pixels.begin() == 28761);
  std::uint64_t hash = 1469598103934665603ull;  // FNV-1a
  for (auto pixel : make_masks(MaskKind::arbitrary, MaskSplit::train, 100, 256, 0).pixels)
    hash = (hash ^ pixel) * 1099511628211ull;
  CHECK(hash == 0xcebde0024580a56eull);
}

TEST_CASE("square masks are size/4 wide, anywhere in the slice", "[masks]") {
  const MaskSet set = make_masks(MaskKind::square, MaskSplit::train, 2000, 64, 3);
  std::set<int> rows, columns;
  for (std::size_t i = 0; i < set.count(); ++i) {
    REQUIRE(area(set[i]) == 16 * 16);
    const auto first = static_cast<int>(std::ranges::find(set[i], 1) - set[i].begin());
    const int row = first / 64, column = first % 64;
    REQUIRE(row + 16 <= 64);
    REQUIRE(column + 16 <= 64);
    REQUIRE(set[i][PlaneSize{64, 64}.at(row + 15, column + 15)] == 1);
    rows.insert(row);
    columns.insert(column);
  }
  CHECK(rows.size() == 49);
  CHECK(columns.size() == 49);
}

TEST_CASE("mixed sets have one square in eight, the others as arbitrary ones", "[masks]") {
  const auto make = [](MaskKind kind) { return make_masks(kind, MaskSplit::train, 16, 128, 4); };
  const MaskSet mixed = make(MaskKind::mixed), arbitrary = make(MaskKind::arbitrary), square = make(MaskKind::square);
  for (std::size_t i = 0; i < mixed.count(); ++i)
    CHECK(std::ranges::equal(mixed[i], (i % 8 == 7 ? square : arbitrary)[i]));
}

TEST_CASE("united masks have the holes of those that follow one another", "[masks]") {
  const MaskSet set = make_masks(MaskKind::arbitrary, MaskSplit::train, 6, 64, 4), united = unite(set, 3);
  REQUIRE(united.count() == 2);
  for (std::size_t i = 0; i < united.count(); ++i)
    for (std::size_t p = 0; p < united[i].size(); ++p)
      REQUIRE(united[i][p] == std::max({set[3 * i][p], set[3 * i + 1][p], set[3 * i + 2][p]}));
  CHECK(unite(set, 1).pixels == set.pixels);
}

TEST_CASE("sizes and counts out of bounds are usage errors", "[masks]") {
  CHECK_THROWS_AS(make_masks(MaskKind::square, MaskSplit::train, 0, 256, 0), Error);
  CHECK_THROWS_AS(make_masks(MaskKind::square, MaskSplit::train, 1, 31, 0), Error);
  CHECK_THROWS_AS(make_masks(MaskKind::arbitrary, MaskSplit::test, 1, 5000, 0), Error);
}

TEST_CASE("shapes are rasterised by pixel centres and scale with the square of the scale", "[masks]") {
  const int size = 200;
  Mask canvas(size * size);
  const MaskShape circle{{}, {{0, 0, 20, 20, 0.3f}}, {}}, bar{{{-30, 0, 30, 0, 5}}, {}, {}};
  const MaskShape blob{{}, {}, {{20, {}, {}}}}, ellipse{{}, {{0, 0, 30, 10, 1.0f}}, {}};
  const double pi = 3.14159265;
  CHECK(rasterize(circle, 1, 100, 100, size, canvas) == Approx(pi * 400).epsilon(0.01));
  CHECK(area(canvas) == rasterize(circle, 1, 100, 100, size, canvas));
  CHECK(rasterize(circle, 2, 100, 100, size, canvas) == Approx(pi * 1600).epsilon(0.01));
  CHECK(rasterize(blob, 1, 100, 100, size, canvas) == Approx(pi * 400).epsilon(0.01));
  CHECK(rasterize(ellipse, 1.5f, 100, 100, size, canvas) == Approx(pi * 300 * 2.25).epsilon(0.01));
  CHECK(rasterize(bar, 1, 100.5f, 100.5f, size, canvas) == Approx(60 * 10 + pi * 25).epsilon(0.02));
  CHECK(rasterize(circle, 1, 0, 0, size, canvas) == Approx(pi * 100).epsilon(0.06));
}

TEST_CASE("the head fraction counts mask pixels brighter than 10", "[masks]") {
  const Mask mask{1, 1, 0, 1, 1}, slice{11, 10, 200, 255, 0};
  CHECK(head_fraction(mask, slice) == 0.5);
  CHECK(head_fraction(Mask(5), slice) == 0);
}

TEST_CASE("drawn masks lie at least half on the head", "[masks]") {
  const PlaneSize size{128, 128};
  const Mask slice = disc_slice(size, 40);
  for (const MaskSource& source :
       {MaskSource{{}, true}, MaskSource{make_masks(MaskKind::arbitrary, MaskSplit::train, 40, 128, 5), true}}) {
    Mask out(size.pixels()), again(size.pixels());
    std::set<std::string> different;
    int redrawn = 0;
    for (std::uint64_t step = 0; step < 50; ++step) {
      const DrawnMask drawn = draw_mask(source, slice, size, 1, step, 3, out);
      CHECK(drawn.head_fraction >= 0.5);
      CHECK(drawn.head_fraction == head_fraction(out, slice));
      redrawn += drawn.attempts > 1;
      if (source.set.count() > 0)
        CHECK(out == copy(source.set[static_cast<std::size_t>(drawn.index)]));
      else
        CHECK(area(out) == 32 * 32);
      draw_mask(source, slice, size, 1, step, 3, again);
      CHECK(again == out);
      different.insert(std::string(out.begin(), out.end()));
    }
    CHECK(redrawn > 0);
    CHECK(different.size() > 5);
    draw_mask(source, slice, size, 1, 0, 3, out);
    draw_mask(source, slice, size, 1, 0, 4, again);
    CHECK(out != again);
  }
}

TEST_CASE("a user's masks are never rejected, and a slice without a head ends the redrawing", "[masks]") {
  const PlaneSize size{128, 128};
  const Mask empty(size.pixels());
  Mask out(size.pixels());
  const MaskSet set = make_masks(MaskKind::arbitrary, MaskSplit::train, 20, 128, 5);
  CHECK(draw_mask({set, false}, empty, size, 1, 0, 0, out).attempts == 1);
  const DrawnMask drawn = draw_mask({set, true}, empty, size, 1, 0, 0, out);
  CHECK(drawn.attempts == 1 + most_redraws);
  CHECK(drawn.head_fraction == 0);
  CHECK(out == copy(set[static_cast<std::size_t>(drawn.index)]));
  Mask bigger(64 * 256);
  CHECK_THROWS_AS(draw_mask({set, true}, bigger, {64, 256}, 1, 0, 0, bigger), Error);
}

TEST_CASE("where no mask reaches half, the one with the most head is kept", "[masks]") {
  const PlaneSize size{64, 64};
  Mask slice(size.pixels()), out(size.pixels());
  for (int r = 30; r < 34; ++r)
    for (int c = 30; c < 34; ++c) slice[size.at(r, c)] = 99;  // smaller than half a square of 16x16
  const DrawnMask drawn = draw_mask({{}, true}, slice, size, 1, 0, 0, out);
  CHECK(drawn.head_fraction == 16.0 / 256);
  CHECK(head_fraction(out, slice) == 16.0 / 256);
}
