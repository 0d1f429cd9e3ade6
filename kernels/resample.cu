#include "kernels/resample.h"

#include "kernels/resample.cuh"

namespace ipa::cuda {
namespace {

// Calls f with a null pointer of the storage type, the smaller tensor and the grid for its groups.
template <class F>
void on_halves(const Tensor& twice, const Tensor& half, F&& f) {
  const Shape& s = half.shape;
  require(twice.shape == Shape{s.n, 2 * s.h, 2 * s.w, s.c} && twice.dtype == half.dtype,
          "resample: one tensor must have twice the other's height and width");
  const Half geometry(half);
  with_storage(half, [&]<class T>(T* type) { f(type, geometry, blocks_for(geometry.groups.count)); });
}

}  // namespace

void max_pool2_forward(Stream& stream, Tensor y, Tensor x) {
  on_halves(x, y, [&]<class T>(T*, const Half& half, dim3 blocks) {
    launch(stream, blocks, threads_per_block, 0, max_pool_kernel<T>, data_of<T>(y), data_of<T>(x), half);
  });
}

void max_pool2_backward(Stream& stream, Tensor dx, Tensor dy, Tensor x) {
  require(dx.spec() == x.spec(), "max_pool2: shapes or types differ");
  on_halves(x, dy, [&]<class T>(T*, const Half& half, dim3 blocks) {
    launch(stream, blocks, threads_per_block, 0, max_pool_gradient_kernel<T>, data_of<T>(dx), data_of<T>(dy),
           data_of<T>(x), half);
  });
}

void upsample_nearest2_forward(Stream& stream, Tensor y, Tensor x) {
  on_halves(y, x, [&]<class T>(T*, const Half& half, dim3 blocks) {
    launch(stream, blocks, threads_per_block, 0, upsample_nearest_kernel<T>, data_of<T>(y), data_of<T>(x), half);
  });
}

void upsample_nearest2_backward(Stream& stream, Tensor dx, Tensor dy) {
  on_halves(dy, dx, [&]<class T>(T*, const Half& half, dim3 blocks) {
    launch(stream, blocks, threads_per_block, 0, upsample_nearest_gradient_kernel<T>, data_of<T>(dx), data_of<T>(dy),
           half);
  });
}

void upsample_bilinear2_forward(Stream& stream, Tensor y, Tensor x) {
  on_halves(y, x, [&]<class T>(T*, const Half& half, dim3) {
    const Groups whole(y);
    launch(stream, blocks_for(whole.count), threads_per_block, 0, upsample_bilinear_kernel<T>, data_of<T>(y),
           data_of<T>(x), whole, half);
  });
}

void upsample_bilinear2_backward(Stream& stream, Tensor dx, Tensor dy) {
  on_halves(dy, dx, [&]<class T>(T*, const Half& half, dim3 blocks) {
    launch(stream, blocks, threads_per_block, 0, upsample_bilinear_gradient_kernel<T>, data_of<T>(dx), data_of<T>(dy),
           half);
  });
}

}  // namespace ipa::cuda
