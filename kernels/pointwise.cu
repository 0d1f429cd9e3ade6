#include "kernels/pointwise.h"

#include "kernels/pointwise.cuh"

namespace ipa::cuda {
namespace {

template <class F>
void map(Stream& stream, const Tensor& y, const Tensor& a, const Tensor& b, F f) {
  require(y.spec() == a.spec() && y.spec() == b.spec(), "pointwise: shapes or types differ");
  const Groups groups(y);
  with_storage(y, [&]<class T>(T*) {
    launch(stream, blocks_for(groups.count), threads_per_block, 0, map_kernel<T, F>, data_of<T>(y), data_of<T>(a),
           data_of<T>(b), groups, f);
  });
}

}  // namespace

void activation_forward(Stream& stream, Tensor y, Tensor x, Activation a) {
  with_activation(a, [&]<class G>(G g) { map(stream, y, x, x, ActivationValue<G>{g}); });
}

void activation_backward(Stream& stream, Tensor dx, Tensor dy, Tensor y, Activation a) {
  with_activation(a, [&]<class G>(G g) { map(stream, dx, dy, y, ActivationSlope<G>{g}); });
}

void add_tensors(Stream& stream, Tensor y, Tensor a, Tensor b) { map(stream, y, a, b, Sum{}); }

void clip_forward(Stream& stream, Tensor y, Tensor x, float low, float high) { map(stream, y, x, x, Clip{low, high}); }

void clip_backward(Stream& stream, Tensor dx, Tensor dy, Tensor x, float low, float high) {
  map(stream, dx, dy, x, ClipSlope{low, high});
}

void scale_tensor(Stream& stream, Tensor y, Tensor x, Tensor factor, float constant) {
  require(y.spec() == x.spec(), "scale: shapes or types differ");
  const Groups groups(y);
  with_storage(y, [&]<class T>(T*) {
    launch(stream, blocks_for(groups.count), threads_per_block, 0, scale_kernel<T>, data_of<T>(y), data_of<T>(x),
           factor.f32(), constant, groups);
  });
}

void fill_tensor(Stream& stream, Tensor y, float value) {
  const Groups groups(y);
  with_storage(y, [&]<class T>(T*) {
    launch(stream, blocks_for(groups.count), threads_per_block, 0, fill_kernel<T>, data_of<T>(y), value, groups);
  });
}

}  // namespace ipa::cuda
