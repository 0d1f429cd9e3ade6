#include "kernels/gram.h"

#include "kernels/gram.cuh"
#include "kernels/matmul.h"

namespace ipa::cuda {
namespace {

double per_gram(const GramSizes& s) { return 1.0 / (static_cast<double>(s.pixels) * s.channels); }

// The difference of the Gram matrices, and where `squares` is there its squares; without a target that of x alone.
void make_difference(Stream& stream, const GramSizes& s, const Tensor& difference, double* squares, const Tensor& x,
                     const Tensor& target, void* workspace) {
  require(x.pitch == s.pitch && difference.pitch == s.pitch, "gram: a tensor is not laid out as prepared");
  float* parts = static_cast<float*>(workspace);
  const auto tiles = static_cast<unsigned>(s.tiles), images = static_cast<unsigned>(s.images);
  with_storage(x, [&]<class T>(T*) {
    launch(stream, dim3(tiles, static_cast<unsigned>(s.splits), images), gram_threads,
           4 * GramPanel<T>::elements * sizeof(T), gram_parts_kernel<T>, parts, data_of<T>(x), data_of<T>(target), s);
  });
  launch(stream, dim3(tiles * gram_slabs, images), gram_threads,
         gram_slab * gram_tile * sizeof(float) + gram_threads / 32 * sizeof(double), gram_finish_kernel,
         difference.f32(), squares, parts, per_gram(s), s);
}

// dx = x times `by` scale[0] (d + d'), by a matrix product on padded channels.
struct Backward {
  GramSizes sizes;
  std::size_t factor_bytes;
  PreparedMatmul product;

  Backward(const Shape& x, DType dtype)
      : sizes(x),
        factor_bytes(sizes.factor_bytes(dtype)),
        product(prepare_matmul({.batch = x.n, .m = sizes.pixels, .n = sizes.pitch, .k = sizes.pitch}, dtype)) {}

  std::size_t workspace_bytes() const { return factor_bytes + product.workspace_bytes; }

  void run(Stream& stream, const Tensor& dx, const Tensor& x, const Tensor& d, const float* scale, double by,
           void* workspace) const {
    require(x.pitch == sizes.pitch && d.pitch == sizes.pitch, "gram: a tensor is not laid out as prepared");
    with_storage(x, [&]<class T>(T*) {
      launch(stream, blocks_for(sizes.images * sizes.pitch * (sizes.pitch / 8)), threads_per_block, 0,
             gram_factor_kernel<T>, static_cast<T*>(workspace), d.f32(), scale, static_cast<float>(by), sizes);
    });
    product.run(stream, dx.data, x.data, workspace, static_cast<std::byte*>(workspace) + factor_bytes);
  }
};

}  // namespace

PreparedGram<Tensor, Tensor> prepare_gram(const Shape& x, DType) {
  const GramSizes s(x);
  return {[s](Stream& stream, Tensor gram, Tensor features, void* workspace) {
            make_difference(stream, s, gram, nullptr, features, {}, workspace);
          },
          s.parts_bytes()};
}

PreparedGram<Tensor, Tensor, Tensor> prepare_gram_backward(const Shape& x, DType dtype) {
  const Backward b(x, dtype);
  return {[b](Stream& stream, Tensor dx, Tensor features, Tensor dgram, void* workspace) {
            b.run(stream, dx, features, dgram, nullptr, per_gram(b.sizes), workspace);
          },
          b.workspace_bytes(), b.product.ready};
}

PreparedGram<Tensor, Tensor, Tensor, Tensor> prepare_style_loss(const Shape& x, DType) {
  const GramSizes s(x);
  return {[s](Stream& stream, Tensor loss, Tensor difference, Tensor features, Tensor target, void* workspace) {
            require(features.spec() == target.spec(), "style loss: shapes or types differ");
            double* squares = static_cast<double*>(workspace);
            make_difference(stream, s, difference, squares, features, target,
                            static_cast<std::byte*>(workspace) + s.squares_bytes());
            const double elements = static_cast<double>(s.images) * s.channels * s.channels;
            launch(stream, 1, threads_per_block, threads_per_block / 32 * sizeof(double), gram_loss_kernel, loss.f32(),
                   squares, s.blocks_of_squares(), 1 / (4 * elements));
          },
          s.squares_bytes() + s.parts_bytes()};
}

PreparedGram<Tensor, Tensor, Tensor, Tensor> prepare_style_loss_backward(const Shape& x, DType dtype) {
  const Backward b(x, dtype);
  return {[b](Stream& stream, Tensor dx, Tensor features, Tensor difference, Tensor dloss, void* workspace) {
            const double channels = b.sizes.channels,
                         matrices = static_cast<double>(b.sizes.images) * channels * channels;
            // the kernel adds d', which is d
            b.run(stream, dx, features, difference, dloss.f32(), per_gram(b.sizes) / (2 * matrices), workspace);
          },
          b.workspace_bytes(), b.product.ready};
}

}  // namespace ipa::cuda
