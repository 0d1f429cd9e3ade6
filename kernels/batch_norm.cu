#include "kernels/batch_norm.h"

#include "kernels/batch_norm.cuh"
#include "kernels/channel_sums.h"

namespace ipa::cuda {

void batch_norm_forward(Stream& stream, Tensor y, Tensor mean, Tensor invstd, Tensor x, const NormParameters& p,
                        Activation a, void* workspace) {
  require(x.spec() == y.spec(), "batch_norm: shapes or types differ");
  const ChannelGrid sums = ChannelGrid::for_sums(x.shape), map = ChannelGrid::for_map(x.shape);
  double* parts = static_cast<double*>(workspace);
  const ChannelStatistics statistics(mean, invstd, p, x.shape, parts + sums.partial_sums(2));
  with_storage(x, [&]<class T>(T*) {
    launch_over(stream, sums, sums_shared_bytes, moments_kernel<T>, parts, data_of<T>(x));
    finish_sums<2>(stream, parts, sums, FinishStatistics{statistics});
    with_activation(a, [&]<class G>(G g) {
      launch_over(stream, map, move_shared_bytes, normalise_kernel<T, G>, data_of<T>(y), data_of<T>(x),
                  NormVectors(p, mean, invstd), statistics, g);
    });
  });
}

void batch_norm_statistics(Stream& stream, Tensor mean, Tensor invstd, Tensor sums, std::int64_t pixels,
                           const NormParameters& p, void* workspace) {
  const std::int64_t channels = mean.shape.c;
  require(sums.shape == channel_sums_shape(channels), "batch_norm: the sums are of another width");
  const ChannelStatistics statistics(mean, invstd, p, {1, 1, pixels, channels}, static_cast<double*>(workspace));
  launch(stream, dim3(1), ChannelGrid::threads, move_shared_bytes, known_sums_kernel, sums.f32(), sums.pitch,
         statistics);
}

void batch_norm_recompute(Stream& stream, Tensor y, Tensor x, Tensor mean, Tensor invstd, const NormParameters& p,
                          Activation a, void*) {
  require(x.spec() == y.spec(), "batch_norm: shapes or types differ");
  const ChannelGrid map = ChannelGrid::for_map(x.shape);
  with_storage(x, [&]<class T>(T*) {
    with_activation(a, [&]<class G>(G g) {
      launch_over(stream, map, 0, recompute_kernel<T, G>, data_of<T>(y), data_of<T>(x), NormVectors(p, mean, invstd),
                  g);
    });
  });
}

void batch_norm_backward(Stream& stream, Tensor dx, Tensor dgamma, Tensor dbeta, Tensor dy, Tensor x, Tensor mean,
                         Tensor invstd, const NormParameters& p, Activation a, void* workspace) {
  require(x.spec() == dx.spec() && x.spec() == dy.spec(), "batch_norm gradient: shapes or types differ");
  const ChannelGrid sums = ChannelGrid::for_sums(x.shape), map = ChannelGrid::for_map(x.shape);
  double* parts = static_cast<double*>(workspace);
  const NormVectors vectors(p, mean, invstd);
  const FinishNormGradient finish{dgamma.f32(), dbeta.f32(), invstd.f32()};
  with_storage(x, [&]<class T>(T*) {
    with_activation(a, [&]<class G>(G g) {
      launch_over(stream, sums, sums_shared_bytes, norm_gradient_sums_kernel<T, G>, parts, data_of<T>(dy),
                  data_of<T>(x), vectors, g);
      finish_sums<2>(stream, parts, sums, finish);
      launch_over(stream, map, 0, norm_gradient_kernel<T, G>, data_of<T>(dx), data_of<T>(dy), data_of<T>(x), vectors,
                  finish, g);
    });
  });
}

void affine_forward(Stream& stream, Tensor y, Tensor x, Tensor scale, Tensor shift, Activation a, void*) {
  require(x.spec() == y.spec(), "affine: shapes or types differ");
  const ChannelGrid map = ChannelGrid::for_map(x.shape);
  with_storage(x, [&]<class T>(T*) {
    with_activation(a, [&]<class G>(G g) {
      launch_over(stream, map, 0, affine_kernel<T, G>, data_of<T>(y), data_of<T>(x), scale.f32(), shift.f32(), g);
    });
  });
}

}  // namespace ipa::cuda
