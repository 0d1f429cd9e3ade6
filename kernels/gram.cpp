#include "kernels/gram.h"

#include "engine/on_device.h"
#include "kernels/gram_sizes.h"
#include "kernels/matmul.h"
#include "kernels/reduce.h"

namespace ipa {
namespace {

struct Sizes {
  std::int64_t images, pixels, channels;
  explicit Sizes(const Shape& x) : images(x.n), pixels(x.h * x.w), channels(x.c) {}
  std::int64_t matrices() const { return images * channels * channels; }  // elements of all Gram matrices
};

PreparedMatmul gram_product(const Sizes& s) {  // F'F / (P C)
  return onednn::prepare_matmul({.batch = s.images,
                                 .m = s.channels,
                                 .n = s.channels,
                                 .k = s.pixels,
                                 .transpose_a = true,
                                 .alpha = static_cast<float>(1.0 / static_cast<double>(s.pixels * s.channels))});
}

PreparedMatmul feature_product(const Sizes& s) {  // F S
  return onednn::prepare_matmul({.batch = s.images, .m = s.pixels, .n = s.channels, .k = s.channels});
}

// A workspace of Gram matrices, 64-byte aligned, and behind it `rest`.
std::size_t matrices_bytes(const Sizes& s) {
  return (static_cast<std::size_t>(s.matrices()) * sizeof(float) + 63) / 64 * 64;
}
void* behind_matrices(void* workspace, const Sizes& s) {
  return static_cast<std::byte*>(workspace) + matrices_bytes(s);
}

PreparedGram<Tensor, Tensor> gram_on_cpu(const Shape& x) {
  PreparedMatmul product = gram_product(Sizes(x));
  return {[run = product.run](Stream& stream, Tensor gram, Tensor features, void* workspace) {
            run(stream, gram.f32(), features.f32(), features.f32(), workspace);
          },
          product.workspace_bytes};
}

PreparedGram<Tensor, Tensor, Tensor> gram_backward_on_cpu(const Shape& x) {
  const Sizes s(x);
  PreparedMatmul product = feature_product(s);
  return {[s, run = product.run](Stream& stream, Tensor dx, Tensor features, Tensor dgram, void* workspace) {
            const float* d = dgram.f32();
            float* both = static_cast<float*>(workspace);  // (dG + dG') / (P C)
            const std::int64_t c = s.channels;
            const float factor = static_cast<float>(1.0 / static_cast<double>(s.pixels * c));
            for (std::int64_t n = 0; n < s.images; ++n)
              for (std::int64_t i = 0; i < c; ++i)
                for (std::int64_t j = 0; j < c; ++j)
                  both[(n * c + i) * c + j] = factor * (d[(n * c + i) * c + j] + d[(n * c + j) * c + i]);
            run(stream, dx.f32(), features.f32(), both, behind_matrices(workspace, s));
          },
          matrices_bytes(s) + product.workspace_bytes};
}

PreparedGram<Tensor, Tensor, Tensor, Tensor> style_loss_on_cpu(const Shape& x) {
  const Sizes s(x);
  PreparedMatmul product = gram_product(s);
  return {[s, run = product.run](Stream& stream, Tensor loss, Tensor difference, Tensor features, Tensor target,
                                 void* workspace) {
            float* d = difference.f32();
            float* of_target = static_cast<float*>(workspace);
            void* rest = behind_matrices(workspace, s);
            run(stream, d, features.f32(), features.f32(), rest);
            run(stream, of_target, target.f32(), target.f32(), rest);
            parallel_range(s.matrices(), [=](std::int64_t first, std::int64_t last) {
              for (std::int64_t i = first; i < last; ++i) d[i] -= of_target[i];
            });
            const double squares = ordered_sum(s.matrices(), rest, [d](std::int64_t i) {
              return static_cast<double>(d[i]) * static_cast<double>(d[i]);
            });
            loss.f32()[0] = static_cast<float>(squares / (4.0 * static_cast<double>(s.matrices())));
          },
          matrices_bytes(s) + std::max(product.workspace_bytes, ordered_sum_workspace_bytes(s.matrices()))};
}

PreparedGram<Tensor, Tensor, Tensor, Tensor> style_loss_backward_on_cpu(const Shape& x) {
  const Sizes s(x);
  PreparedMatmul product = feature_product(s);
  return {[s, run = product.run](Stream& stream, Tensor dx, Tensor features, Tensor difference, Tensor dloss,
                                 void* workspace) {
            const float* d = difference.f32();
            float* scaled = static_cast<float*>(workspace);
            const double parts = static_cast<double>(s.matrices()) * static_cast<double>(s.pixels * s.channels);
            const float factor = static_cast<float>(static_cast<double>(dloss.f32()[0]) / parts);
            parallel_range(s.matrices(), [=](std::int64_t first, std::int64_t last) {
              for (std::int64_t i = first; i < last; ++i) scaled[i] = factor * d[i];
            });
            run(stream, dx.f32(), features.f32(), scaled, behind_matrices(workspace, s));
          },
          matrices_bytes(s) + product.workspace_bytes};
}

// `on_cpu` or `cuda` by the device.
template <class Cpu, class Cuda>
auto choose(Device device, DType dtype, Cpu on_cpu, Cuda on_cuda, std::size_t cuda_bytes) {
  return prepare_on_device(
      device,
      [&] {
        require(dtype == DType::f32, "gram: on the CPU the features are fp32");
        return on_cpu();
      },
      on_cuda, cuda_bytes);
}

std::size_t backward_bytes_on_cuda(const Shape& x, DType dtype) {
  return GramSizes(x).factor_bytes(dtype) + matmul_workspace_limit;
}

}  // namespace

PreparedGram<Tensor, Tensor> prepare_gram(Device device, const Shape& x, DType dtype) {
  return choose(
      device, dtype, [&] { return gram_on_cpu(x); }, [&] { return cuda::prepare_gram(x, dtype); },
      GramSizes(x).parts_bytes());
}

PreparedGram<Tensor, Tensor, Tensor> prepare_gram_backward(Device device, const Shape& x, DType dtype) {
  return choose(
      device, dtype, [&] { return gram_backward_on_cpu(x); }, [&] { return cuda::prepare_gram_backward(x, dtype); },
      backward_bytes_on_cuda(x, dtype));
}

PreparedGram<Tensor, Tensor, Tensor, Tensor> prepare_style_loss(Device device, const Shape& x, DType dtype) {
  return choose(
      device, dtype, [&] { return style_loss_on_cpu(x); }, [&] { return cuda::prepare_style_loss(x, dtype); },
      GramSizes(x).squares_bytes() + GramSizes(x).parts_bytes());
}

PreparedGram<Tensor, Tensor, Tensor, Tensor> prepare_style_loss_backward(Device device, const Shape& x, DType dtype) {
  return choose(
      device, dtype, [&] { return style_loss_backward_on_cpu(x); },
      [&] { return cuda::prepare_style_loss_backward(x, dtype); }, backward_bytes_on_cuda(x, dtype));
}

}  // namespace ipa
