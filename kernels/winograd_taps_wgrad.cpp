#include "engine/error.h"
#include "kernels/scratch.h"
#include "kernels/winograd_taps.h"
#include "kernels/winograd_taps_sums.h"

namespace ipa::winograd_taps {
namespace {

// For each term its transformed pixels v[plane][tile][channels] and sums of products; dy transformed, for all.
struct Workspace {
  float *v, *m, *sums;
  std::size_t bytes;
  std::int64_t v_plane, m_plane, sums_plane;

  Workspace(const Sum& s, void* memory) {
    Scratch parts(memory);
    const std::int64_t terms = static_cast<std::int64_t>(s.terms.size()), channels = s.terms[0].view.channels;
    v_plane = s.tiles.count() * channels;
    m_plane = s.tiles.count() * s.to.channels;
    sums_plane = gemm::packed_columns(channels) * s.to.channels + 16;  // not a power of two apart
    v = parts.take<float>(terms * planes * v_plane);
    m = parts.take<float>(planes * m_plane);
    sums = parts.take<float>(terms * planes * sums_plane);
    bytes = parts.bytes();
  }
};

struct Kernels {  // of the instruction set at the time of preparation
  const WinogradTapsKernels& transforms = IPA_SIMD_PICK(winograd_taps_kernels);
  const WinogradTapsWgradKernels& gradients = IPA_SIMD_PICK(winograd_taps_wgrad_kernels);
  const ConvGemmWgradKernels& products = IPA_SIMD_PICK(conv_gemm_wgrad_kernels);
};

void run(const Kernels& kernels, const Sum& sum, const Tensor& dw, const Tensor& x, const Tensor& dy,
         const Workspace& space) {
  const TapTiles& tiles = sum.tiles;
  const std::int64_t out = sum.to.channels, rows = tiles.rows(), count = tiles.count();
  const std::int64_t terms = static_cast<std::int64_t>(sum.terms.size()), channels = sum.terms[0].view.channels;
  const std::int64_t group = 4 * kernels.products.panel;
  auto term = [&](std::int64_t i) -> const Term& { return sum.terms[static_cast<std::size_t>(i)]; };
#pragma omp parallel
  {
#pragma omp for schedule(static) nowait
    for (std::int64_t row = 0; row < rows; ++row) {
      PixelView view = sum.to;
      view.pitch = dy.pitch;
      kernels.gradients.output_gradient(tiles, view, dy.f32(), row, space.m, space.m_plane);
    }
#pragma omp for schedule(static) collapse(2)
    for (std::int64_t i = 0; i < terms; ++i)
      for (std::int64_t row = 0; row < rows; ++row) {
        PixelView view = term(i).view;
        view.pitch = x.pitch;
        kernels.transforms.input(tiles, view, x.f32(), term(i).first_row, term(i).first_col, row,
                                 space.v + i * planes * space.v_plane, channels, space.v_plane);
      }
#pragma omp for schedule(static) collapse(3)
    for (std::int64_t i = 0; i < terms; ++i)
      for (std::int64_t p = 0; p < planes; ++p)
        for (std::int64_t column = 0; column < channels; column += group) {
          const ConvGemmWgrad g{
              .rows = gemm::rows_of_matrix(space.v + (i * planes + p) * space.v_plane, count, channels, channels),
              .dy = space.m + p * space.m_plane,
              .dy_pitch = out,
              .out = out};
          kernels.products.accumulate(g, 0, count, column, std::min(channels, column + group),
                                      space.sums + (i * planes + p) * space.sums_plane, nullptr);
        }
#pragma omp for schedule(static) collapse(2)
    for (std::int64_t o = 0; o < out; ++o)
      for (std::int64_t i = 0; i < terms; ++i)
        kernels.gradients.weights(term(i).product, tiles.taps, out, o, space.sums + i * planes * space.sums_plane,
                                  space.sums_plane, dw.f32());
  }
}

}  // namespace

PreparedConv<Tensor, Tensor, Tensor> prepare_conv_wgrad(const ConvGeometry& g) {
  require(supports(g), "winograd_taps: not this convolution");
  const Kernels kernels;
  Sum sum = forward_sum(g);
  const std::size_t bytes = Workspace(sum, nullptr).bytes;
  return {[=, sum = std::move(sum)](Stream&, Tensor dw, Tensor x, Tensor dy, void* workspace) {
            run(kernels, sum, dw, x, dy, Workspace(sum, workspace));
          },
          bytes};
}

}  // namespace ipa::winograd_taps
