#include "kernels/bias.h"

#include "kernels/bias.cuh"

namespace ipa::cuda {

void add_bias_forward(Stream& stream, Tensor y, Tensor x, Tensor bias) {
  require(x.spec() == y.spec() && bias.shape.c == x.shape.c, "add_bias: shapes or types differ");
  with_storage(x, [&]<class T>(T*) {
    launch_over(stream, ChannelGrid::for_map(x.shape), 0, add_bias_kernel<T>, data_of<T>(y), y.pitch, data_of<T>(x),
                x.pitch, bias.f32());
  });
}

void sum_over_pixels(Stream& stream, Tensor sum, Tensor x, void* workspace) {
  require(sum.shape == vector_shape(x.shape.c), "sum_pixels: shapes differ");
  const ChannelGrid grid = ChannelGrid::for_sums(x.shape);
  double* parts = static_cast<double*>(workspace);
  with_storage(x, [&]<class T>(T*) {
    launch_over(stream, grid, sums_shared_bytes, pixel_sums_kernel<T>, parts, data_of<T>(x), x.pitch);
  });
  finish_sums<1>(stream, parts, grid, FinishSum{sum.f32()});
}

}  // namespace ipa::cuda
