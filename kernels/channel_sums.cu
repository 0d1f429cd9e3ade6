#include "kernels/channel_sums.h"

#include "kernels/channel_stats.cuh"

namespace ipa::cuda {

void channel_sums(Stream& stream, Tensor sums, Tensor x, void* workspace) {
  require(sums.shape == channel_sums_shape(x.shape.c), "channel_sums: shapes differ");
  const ChannelGrid grid = ChannelGrid::for_sums(x.shape);
  double* parts = static_cast<double*>(workspace);
  with_storage(
      x, [&]<class T>(T*) { launch_over(stream, grid, sums_shared_bytes, moments_kernel<T>, parts, data_of<T>(x)); });
  finish_sums<2>(stream, parts, grid, StoreSums{sums.f32(), sums.pitch});
}

}  // namespace ipa::cuda
