// Volumes as axial slices, and slices as squares of the network's size. Everything here only moves voxels, so that what
// is put back lies exactly where it came from; only resample() computes.
//
// A slice is seen as radiologists do: the patient's front is the top row, the patient's left is on the right of the
// image. Slices are counted from the feet up.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "io/nifti.h"

namespace ipa {

class AxialCut {
 public:
  // Slices stand across the volume's axis that is nearest to inferior-superior.
  explicit AxialCut(const Nifti& volume);
  uint64_t count() const { return size_[0]; }
  uint64_t height() const { return size_[1]; }
  uint64_t width() const { return size_[2]; }
  const std::array<double, 3>& spacing() const { return spacing_; }  // mm between slices, rows, columns

  // Copies slice `s`, elements of T, out of or into voxels in the file's order (i fastest).
  template <class T>
  void read(const T* voxels, uint64_t s, T* slice) const {
    visit(s, [&](uint64_t pixel, uint64_t voxel) { slice[pixel] = voxels[voxel]; });
  }
  template <class T>
  void write(const T* slice, uint64_t s, T* voxels) const {
    visit(s, [&](uint64_t pixel, uint64_t voxel) { voxels[voxel] = slice[pixel]; });
  }

 private:
  template <class F>
  void visit(uint64_t s, F f) const {
    uint64_t pixel = 0;
    for (uint64_t row = 0; row < size_[1]; ++row)
      for (uint64_t column = 0; column < size_[2]; ++column, ++pixel)
        f(pixel, static_cast<uint64_t>(origin_ + step_[0] * int64_t(s) + step_[1] * int64_t(row) +
                                       step_[2] * int64_t(column)));
  }

  // Of slices, rows and columns: how many, mm apart, voxels apart in memory.
  std::array<uint64_t, 3> size_{};
  std::array<double, 3> spacing_{};
  std::array<int64_t, 3> step_{};
  int64_t origin_ = 0;
};

// Resamples an array (D, H, W) to other spacings along each axis: trilinear interpolation; where the grid becomes
// coarser the triangle is widened by the same factor, so that nothing falls between the samples. The centres coincide,
// edges are repeated. An axis whose spacing stays as it is (to 0.1 %) is left as it is. `size` becomes the new one:
// max(1, round(size * spacing / wanted)).
std::vector<float> resample(std::vector<float> values, std::array<uint64_t, 3>& size,
                            const std::array<double, 3>& spacing, const std::array<double, 3>& wanted);

// The place of an image (height, width) in the middle of a square, and back. What is larger than the square is cropped.
class CentreFit {
 public:
  CentreFit(uint64_t height, uint64_t width, uint64_t side);

  // (height, width) -> (side, side), `fill` where there is no image.
  template <class T>
  void fit(const T* image, T fill, T* square) const {
    std::fill(square, square + side_ * side_, fill);
    for (uint64_t r = 0; r < rows_; ++r)
      std::copy_n(image + (image_row_ + r) * width_ + image_column_, columns_,
                  square + (square_row_ + r) * side_ + square_column_);
  }
  // Back into an image of the first size; its pixels outside the square stay as they are.
  template <class T>
  void restore(const T* square, T* image) const {
    for (uint64_t r = 0; r < rows_; ++r)
      std::copy_n(square + (square_row_ + r) * side_ + square_column_, columns_,
                  image + (image_row_ + r) * width_ + image_column_);
  }

 private:
  uint64_t width_, side_;
  uint64_t rows_, columns_;              // what both have in common
  uint64_t image_row_, image_column_;    // where that begins in the image
  uint64_t square_row_, square_column_;  // and in the square
};

}  // namespace ipa
