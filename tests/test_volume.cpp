#include "io/volume.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

namespace {

// A volume of 3 x 4 x 5 voxels, each holding its own index, with the given columns of the affine.
ipa::Nifti numbered(const std::array<std::array<double, 3>, 3>& columns) {
  ipa::Nifti v;
  v.size = {3, 4, 5};
  for (size_t c = 0; c < 3; ++c) {
    for (size_t r = 0; r < 3; ++r) v.affine[r][c] = columns[c][r];
    v.spacing[c] = std::hypot(columns[c][0], columns[c][1], columns[c][2]);
  }
  return v;
}

// The world position (relative) of the voxel with this index.
std::array<double, 3> position(const ipa::Nifti& v, int index) {
  const std::array<int, 3> ijk = {index % 3, index / 3 % 4, index / 12};
  std::array<double, 3> xyz{};
  for (size_t r = 0; r < 3; ++r)
    for (size_t c = 0; c < 3; ++c) xyz[r] += v.affine[r][c] * ijk[c];
  return xyz;
}

}  // namespace

TEST_CASE("slices are axial, front up, patient's left on the right, from the feet up; and go back in place", "[io]") {
  const double t = 0.3;
  const std::array<std::array<std::array<double, 3>, 3>, 6> columns = {{
      {{{1, 0, 0}, {0, 2, 0}, {0, 0, 3}}},    // RAS
      {{{-1, 0, 0}, {0, 2, 0}, {0, 0, 3}}},   // LAS
      {{{-1, 0, 0}, {0, -2, 0}, {0, 0, 3}}},  // LPS
      {{{0, 2, 0}, {0, 0, -3}, {-1, 0, 0}}},  // sagittal slices: A, I, L
      {{{1, 0, 0}, {0, 0, -3}, {0, 2, 0}}},   // coronal slices: R, I, A
      {{{std::cos(t), std::sin(t), 0}, {-2 * std::sin(t), 2 * std::cos(t), .4}, {.2, -.5, 3}}},  // oblique
  }};
  for (const auto& c : columns) {
    const ipa::Nifti v = numbered(c);
    const ipa::AxialCut cut(v);
    REQUIRE(cut.count() * cut.height() * cut.width() == 60);
    CHECK(cut.spacing()[0] == Approx(3).margin(0.1));
    CHECK(cut.spacing()[1] == Approx(2).margin(0.1));
    CHECK(cut.spacing()[2] == Approx(1).margin(0.1));
    std::vector<int> voxels(60), slices(60), back(60, -1);
    std::iota(voxels.begin(), voxels.end(), 0);
    const size_t pixels = cut.height() * cut.width();
    for (size_t s = 0; s < cut.count(); ++s) {
      cut.read(voxels.data(), s, slices.data() + s * pixels);
      cut.write(slices.data() + s * pixels, s, back.data());
    }
    CHECK(back == voxels);
    const auto at = [&](size_t s, size_t row, size_t column) {
      return position(v, slices[s * pixels + row * cut.width() + column]);
    };
    const auto origin = at(0, 0, 0);
    CHECK(at(1, 0, 0)[2] > origin[2]);  // up
    CHECK(at(0, 1, 0)[1] < origin[1]);  // to the back
    CHECK(at(0, 0, 1)[0] < origin[0]);  // to the left
  }
}

TEST_CASE("resampling: nothing to do, straight lines, constants, sizes", "[io]") {
  std::array<uint64_t, 3> size = {4, 5, 6};
  std::vector<float> line(120);
  for (size_t i = 0; i < 120; ++i) line[i] = float(i / 30) * 3 + float(i / 6 % 5) * 2 + float(i % 6);
  CHECK(ipa::resample(line, size, {1, 1, 1}, {1, 1, 1}) == line);
  CHECK(ipa::resample(line, size, {1.0005, 1, 1}, {1, 1, 1}) == line);

  // Finer by 2 along one axis: a straight line stays straight away from the edges.
  size = {4, 5, 6};
  const std::vector<float> fine = ipa::resample(line, size, {1, 1, 2}, {1, 1, 1});
  CHECK(size == std::array<uint64_t, 3>{4, 5, 12});
  for (size_t i = 1; i + 1 < 12; ++i) CHECK(fine[i] == Approx((double(i) - 5.5) / 2 + 2.5));
  CHECK(fine[0] == 0);  // the edge repeats

  // Coarser by 3: symmetric means, so a straight line keeps its values at the centres; all samples count.
  size = {1, 1, 9};
  const std::vector<float> coarse = ipa::resample({0, 1, 2, 3, 4, 5, 6, 7, 8}, size, {1, 1, 1}, {1, 1, 3});
  REQUIRE(size == std::array<uint64_t, 3>{1, 1, 3});
  CHECK(coarse[1] == Approx(4));
  size = {1, 1, 9};
  CHECK(ipa::resample({0, 0, 0, 9, 0, 0, 0, 0, 0}, size, {1, 1, 1}, {1, 1, 3})[1] > 1);

  size = {3, 3, 3};
  for (const float x : ipa::resample(std::vector<float>(27, 7.f), size, {1, .7, 4}, {1.3, 1.3, 1.3}))
    CHECK(x == Approx(7));
  CHECK(size == std::array<uint64_t, 3>{2, 2, 9});
}

TEST_CASE("a square holds the middle of an image, and gives it back", "[io]") {
  for (const auto& [height, width] : {std::pair<uint64_t, uint64_t>{5, 12}, {8, 8}, {1, 1}, {7, 3}, {20, 31}}) {
    const ipa::CentreFit place(height, width, 8);
    std::vector<int> image(height * width), square(64);
    std::iota(image.begin(), image.end(), 1);
    place.fit(image.data(), -1, square.data());
    CHECK(uint64_t(std::count(square.begin(), square.end(), -1)) ==
          64 - std::min<uint64_t>(height, 8) * std::min<uint64_t>(width, 8));
    CHECK(std::count(square.begin(), square.end(), image[(height - 1) / 2 * width + (width - 1) / 2]) == 1);
    std::vector<int> back = image;
    for (int& x : square) x = -x;
    place.restore(square.data(), back.data());
    for (size_t i = 0; i < image.size(); ++i) CHECK(std::abs(back[i]) == image[i]);
    CHECK(uint64_t(std::count_if(back.begin(), back.end(), [](int x) { return x < 0; })) ==
          std::min<uint64_t>(height, 8) * std::min<uint64_t>(width, 8));
  }
}
