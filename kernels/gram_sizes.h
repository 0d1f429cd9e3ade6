// How gram.cuh divides its work, and the workspace that takes: a function of the shape alone, which plans need too.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/tensor.h"

namespace ipa {

constexpr int gram_tile = 64;  // channels
constexpr int gram_slab = 8;   // rows of a tile that a block of gram_finish_kernel works on
constexpr int gram_slabs = gram_tile / gram_slab;
constexpr int gram_tile_elements = gram_tile * gram_tile;

// Work and its division: a function of the shape alone.
struct GramSizes {
  std::int64_t images, pixels;  // of one image
  int channels, pitch, side;    // side: tiles in a row
  int tiles;                    // of the upper triangle
  int splits;
  std::int64_t split_pixels;

  explicit GramSizes(const Shape& x)
      : images(x.n),
        pixels(x.h * x.w),
        channels(static_cast<int>(x.c)),
        pitch(static_cast<int>(padded_to_8(x.c))),
        side((pitch + gram_tile - 1) / gram_tile),
        tiles(side * (side + 1) / 2) {
    // Four blocks for each of 132 multiprocessors at once, but at least 256 pixels each, to be worth a part of 16 KiB.
    const std::int64_t most = std::max<std::int64_t>(1, 528 / (images * tiles)), enough = (pixels + 255) / 256,
                       wanted = std::min(most, enough);
    split_pixels = ((pixels + wanted - 1) / wanted + 31) / 32 * 32;
    splits = static_cast<int>((pixels + split_pixels - 1) / split_pixels);
  }
  std::int64_t blocks_of_squares() const { return images * tiles * gram_slabs; }
  std::size_t squares_bytes() const {
    return (static_cast<std::size_t>(blocks_of_squares()) * sizeof(double) + 63) / 64 * 64;
  }
  std::size_t factor_bytes(DType dtype) const {  // of the gradient's right factor
    return (static_cast<std::size_t>(images * pitch * pitch) * size_of(dtype) + 63) / 64 * 64;
  }
  std::size_t parts_bytes() const {
    return static_cast<std::size_t>(images * tiles * splits * gram_tile_elements) * sizeof(float);
  }
};

}  // namespace ipa
