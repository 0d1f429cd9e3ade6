#include "kernels/cast.h"

#include "kernels/cast.cuh"

namespace ipa::cuda {
namespace {

dim3 tiles_of(const Tensor& image, const Tensor& rows) {
  const Shape &i = image.shape, &r = rows.shape;
  require(r == Shape{i.n, i.h, 1, i.w} && i.c == 1 && rows.packed() && image.pitch == 8,
          "cast: rows and image do not fit");
  return dim3(static_cast<unsigned>((i.pixels() + tile_pixels - 1) / tile_pixels));
}

}  // namespace

void cast_tensor(Stream& stream, Tensor y, Tensor x) {
  require(y.shape == x.shape && y.filter == x.filter && y.pitch == x.pitch, "cast: shapes differ");
  const std::int64_t groups = elements_on(x.device, x.spec()) / 8;
  with_storage(y, [&]<class To>(To*) {
    with_storage(x, [&]<class From>(From*) {
      launch(stream, blocks_for(groups), threads_per_block, 0, cast_kernel<To, From>, data_of<To>(y), data_of<From>(x),
             groups);
    });
  });
}

void image_from_rows(Stream& stream, Tensor image, Tensor rows) {
  const dim3 tiles = tiles_of(image, rows);
  with_storage(image, [&]<class T>(T*) {
    launch(stream, tiles, threads_per_block, tile_bytes, image_from_rows_kernel<T>, data_of<T>(image), rows.f32(),
           image.shape.pixels());
  });
}

void rows_from_image(Stream& stream, Tensor rows, Tensor image) {
  const dim3 tiles = tiles_of(image, rows);
  with_storage(image, [&]<class T>(T*) {
    launch(stream, tiles, threads_per_block, tile_bytes, rows_from_image_kernel<T>, rows.f32(), data_of<T>(image),
           image.shape.pixels());
  });
}

}  // namespace ipa::cuda
