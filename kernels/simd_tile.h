// A block of a matrix product in registers, the innermost loop of our CPU kernels: C = C + A B, where C has `Rows` rows
// and `Whole` vectors of columns, and half a one more where `Half`. Of A one element per row and step is broadcast, of
// B one row per step is loaded. tile_rows x 2 vectors keep the multiply-add units busy: each vector of B is used
// tile_rows times, each element of A twice.
//   Tile<tile_rows, 2, false> c;
//   c.clear();
//   for (std::int64_t k = 0; k < count; ++k) c.add_product(a + k, a_row, b + k * c.columns, lanes);
//   c.store(out, out_row, out_vector);
#pragma once

#include "kernels/simd.h"

namespace ipa::IPA_SIMD {
namespace {

template <int Rows, int Whole, bool Half>
struct Tile {
  static constexpr int columns = Whole * lanes + Half * lanes / 2;

  Vec whole[Rows][Whole + 1];  // one more than needed: an array of none is not allowed. What is not used costs nothing
  HalfVec half[Rows];

  IPA_INLINE void clear() {
    IPA_UNROLL for (int r = 0; r < Rows; ++r) {
      IPA_UNROLL for (int v = 0; v < Whole; ++v) whole[r][v] = Vec{};
      if constexpr (Half) half[r] = HalfVec{};
    }
  }

  // Strides in floats: from row to row, and from one vector of columns to the next.
  IPA_INLINE void load(const float* c, std::int64_t row, std::int64_t vector) {
    IPA_UNROLL for (int r = 0; r < Rows; ++r) {
      IPA_UNROLL for (int v = 0; v < Whole; ++v) whole[r][v] = IPA_SIMD::load<Vec>(c + r * row + v * vector);
      if constexpr (Half) half[r] = IPA_SIMD::load<HalfVec>(c + r * row + Whole * vector);
    }
  }
  IPA_INLINE void store(float* c, std::int64_t row, std::int64_t vector) const {
    IPA_UNROLL for (int r = 0; r < Rows; ++r) {
      IPA_UNROLL for (int v = 0; v < Whole; ++v) IPA_SIMD::store(c + r * row + v * vector, whole[r][v]);
      if constexpr (Half) IPA_SIMD::store(c + r * row + Whole * vector, half[r]);
    }
  }

  IPA_INLINE void add(const Tile& other) {
    IPA_UNROLL for (int r = 0; r < Rows; ++r) {
      IPA_UNROLL for (int v = 0; v < Whole; ++v) whole[r][v] += other.whole[r][v];
      if constexpr (Half) half[r] += other.half[r];
    }
  }

  // One step: c[r][:] += a[r * row] * b[:].
  IPA_INLINE void add_product(const float* a, std::int64_t row, const float* b, std::int64_t vector) {
    Vec b_whole[Whole + 1];
    IPA_UNROLL for (int v = 0; v < Whole; ++v) b_whole[v] = IPA_SIMD::load<Vec>(b + v * vector);
    HalfVec b_half;
    if constexpr (Half) b_half = IPA_SIMD::load<HalfVec>(b + Whole * vector);
    IPA_UNROLL for (int r = 0; r < Rows; ++r) {
      IPA_UNROLL for (int v = 0; v < Whole; ++v) whole[r][v] += a[r * row] * b_whole[v];
      if constexpr (Half) half[r] += a[r * row] * b_half;
    }
  }
};

// Columns (channels) are taken in panels of two vectors; the last panel may be narrower.
constexpr int panel_columns = 2 * lanes;

constexpr std::int64_t panel_width(std::int64_t left) {  // of the panel where `left` columns are left, with its padding
  constexpr std::int64_t half = lanes / 2;
  return left >= panel_columns ? panel_columns : divide_up(left, half) * half;
}

// f.template operator()<Whole, Half>() for the panel of this width.
template <class F>
IPA_INLINE void with_panel(std::int64_t width, F&& f) {
  switch (width / (lanes / 2)) {
    case 1:
      return f.template operator()<0, true>();
    case 2:
      return f.template operator()<1, false>();
    case 3:
      return f.template operator()<1, true>();
    default:
      return f.template operator()<2, false>();
  }
}

}  // namespace
}  // namespace ipa::IPA_SIMD
