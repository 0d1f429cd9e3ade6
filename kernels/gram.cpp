#include "kernels/gram.h"

#include "engine/on_device.h"
#include "kernels/conv_gemm.h"
#include "kernels/conv_gemm_products.h"
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

// F'F / (P C) of every image. The sums over pixels are those of a weight gradient, for one panel of columns after the
// other and no more rows than to the diagonal; what lies below that is what lies above it. An image's pixels are taken
// in parts that depend on the shape alone, and these are added in order: the same bits on any number of threads.
class GramProduct {
 public:
  explicit GramProduct(const Sizes& s)
      : sizes_(s),
        panels_(gemm::parts_of(s.channels, kernels_.panel)),
        parts_(std::clamp<std::int64_t>(gemm::parts_of(32, panels_), 1,
                                        std::max<std::int64_t>(s.pixels / (4 * kernels_.block), 1))),
        panel_floats_(kernels_.panel * s.channels) {}

  std::size_t workspace_bytes() const {  // of a panel, all parts and their sum
    return static_cast<std::size_t>(sizes_.images * panels_ * (parts_ + 1) * panel_floats_) * sizeof(float);
  }

  void run(float* gram, const float* features, void* workspace) const {
    const std::int64_t images = sizes_.images, pixels = sizes_.pixels, channels = sizes_.channels;
    auto sums = [&](std::int64_t image, std::int64_t panel) {
      return static_cast<float*>(workspace) + (image * panels_ + panel) * (parts_ + 1) * panel_floats_;
    };
    const float factor = static_cast<float>(1.0 / static_cast<double>(pixels * channels));
#pragma omp parallel
    {
#pragma omp for schedule(dynamic) collapse(3)  // the panels differ in work
      for (std::int64_t n = 0; n < images; ++n)
        for (std::int64_t panel = panels_ - 1; panel >= 0; --panel)
          for (std::int64_t part = 0; part < parts_; ++part) {
            const ConvGemmWgrad g = panel_of(features + n * pixels * channels, panel);
            kernels_.accumulate(g, pixels * part / parts_, pixels * (part + 1) / parts_, 0, g.rows.channels,
                                sums(n, panel) + part * panel_floats_, nullptr);
          }
#pragma omp for schedule(dynamic) collapse(2)
      for (std::int64_t n = 0; n < images; ++n)
        for (std::int64_t panel = 0; panel < panels_; ++panel) {
          const ConvGemmWgrad g = panel_of(features + n * pixels * channels, panel);
          float *const total = sums(n, panel) + parts_ * panel_floats_, *const to = gram + n * channels * channels;
          for (std::int64_t row = 0; row < g.out; ++row) {
            kernels_.add_up(g, row, sums(n, panel), parts_, panel_floats_, total);
            for (std::int64_t i = 0; i < g.rows.channels; ++i) {
              const std::int64_t column = panel * kernels_.panel + i;
              if (row <= column)
                to[row * channels + column] = to[column * channels + row] = factor * total[row * g.rows.channels + i];
            }
          }
        }
    }
  }

 private:
  ConvGemmWgrad panel_of(const float* features, std::int64_t panel) const {
    const std::int64_t column = panel * kernels_.panel, width = std::min(kernels_.panel, sizes_.channels - column);
    return {.rows = gemm::rows_of_matrix(features + column, sizes_.pixels, width, sizes_.channels),
            .dy = features,
            .dy_pitch = sizes_.channels,
            .out = column + width};
  }

  const ConvGemmWgradKernels& kernels_ = IPA_SIMD_PICK(conv_gemm_wgrad_kernels);
  Sizes sizes_;
  std::int64_t panels_, parts_, panel_floats_;
};

// dx = F S of every image, with symmetric matrices S for the weights of a 1x1 convolution.
class FeatureProduct {
 public:
  explicit FeatureProduct(const Shape& x)
      : image_{1, x.h, x.w, x.c},
        weights_{x.c, 1, 1, x.c},
        images_(x.n),
        conv_(gemm::prepare_conv({image_, weights_, image_}, false, no_activation)) {}

  std::size_t workspace_bytes() const { return conv_.workspace_bytes; }
  void run(Stream& stream, float* dx, float* features, float* matrices, void* workspace) const {
    for (std::int64_t n = 0; n < images_; ++n)
      conv_.run(stream, {dx + n * image_.elements(), {image_}}, {features + n * image_.elements(), {image_}},
                {matrices + n * weights_.elements(), {weights_}}, {}, workspace);
  }

 private:
  Shape image_, weights_;
  std::int64_t images_;
  PreparedConv<Tensor, Tensor, Tensor, Tensor> conv_;
};

// A workspace of Gram matrices, 64-byte aligned, and behind it `rest`.
std::size_t matrices_bytes(const Sizes& s) {
  return (static_cast<std::size_t>(s.matrices()) * sizeof(float) + 63) / 64 * 64;
}
void* behind_matrices(void* workspace, const Sizes& s) {
  return static_cast<std::byte*>(workspace) + matrices_bytes(s);
}

PreparedGram<Tensor, Tensor> gram_on_cpu(const Shape& x) {
  const GramProduct product{Sizes(x)};
  return {[product](Stream&, Tensor gram, Tensor features, void* workspace) {
            product.run(gram.f32(), features.f32(), workspace);
          },
          product.workspace_bytes()};
}

PreparedGram<Tensor, Tensor, Tensor> gram_backward_on_cpu(const Shape& x) {
  const Sizes s(x);
  const FeatureProduct product(x);
  return {[s, product](Stream& stream, Tensor dx, Tensor features, Tensor dgram, void* workspace) {
            const float* d = dgram.f32();
            float* both = static_cast<float*>(workspace);  // (dG + dG') / (P C)
            const std::int64_t c = s.channels;
            const float factor = static_cast<float>(1.0 / static_cast<double>(s.pixels * c));
            for (std::int64_t n = 0; n < s.images; ++n)
              for (std::int64_t i = 0; i < c; ++i)
                for (std::int64_t j = 0; j < c; ++j)
                  both[(n * c + i) * c + j] = factor * (d[(n * c + i) * c + j] + d[(n * c + j) * c + i]);
            product.run(stream, dx.f32(), features.f32(), both, behind_matrices(workspace, s));
          },
          matrices_bytes(s) + product.workspace_bytes()};
}

PreparedGram<Tensor, Tensor, Tensor, Tensor> style_loss_on_cpu(const Shape& x) {
  const Sizes s(x);
  const GramProduct product(s);
  return {[s, product](Stream&, Tensor loss, Tensor difference, Tensor features, Tensor target, void* workspace) {
            float* d = difference.f32();
            float* of_target = static_cast<float*>(workspace);
            void* rest = behind_matrices(workspace, s);
            product.run(d, features.f32(), rest);
            product.run(of_target, target.f32(), rest);
            parallel_range(s.matrices(), [=](std::int64_t first, std::int64_t last) {
              for (std::int64_t i = first; i < last; ++i) d[i] -= of_target[i];
            });
            const double squares = ordered_sum(s.matrices(), rest, [d](std::int64_t i) {
              return static_cast<double>(d[i]) * static_cast<double>(d[i]);
            });
            loss.f32()[0] = static_cast<float>(squares / (4.0 * static_cast<double>(s.matrices())));
          },
          matrices_bytes(s) + std::max(product.workspace_bytes(), ordered_sum_workspace_bytes(s.matrices()))};
}

PreparedGram<Tensor, Tensor, Tensor, Tensor> style_loss_backward_on_cpu(const Shape& x) {
  const Sizes s(x);
  const FeatureProduct product(x);
  return {[s, product](Stream& stream, Tensor dx, Tensor features, Tensor difference, Tensor dloss, void* workspace) {
            const float* d = difference.f32();
            float* scaled = static_cast<float*>(workspace);
            const double parts = static_cast<double>(s.matrices()) * static_cast<double>(s.pixels * s.channels);
            const float factor = static_cast<float>(static_cast<double>(dloss.f32()[0]) / parts);
            parallel_range(s.matrices(), [=](std::int64_t first, std::int64_t last) {
              for (std::int64_t i = first; i < last; ++i) scaled[i] = factor * d[i];
            });
            product.run(stream, dx.f32(), features.f32(), scaled, behind_matrices(workspace, s));
          },
          matrices_bytes(s) + product.workspace_bytes()};
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
