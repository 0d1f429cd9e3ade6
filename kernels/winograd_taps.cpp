#include "kernels/winograd_taps.h"

#include "engine/error.h"
#include "kernels/pointwise.h"
#include "kernels/scratch.h"
#include "kernels/winograd_taps_sums.h"

namespace ipa::winograd_taps {

using gemm::packed_columns;
using gemm::parts_of;

namespace {

void set_tiles(Sum& s) {
  s.tiles.down = parts_of(parts_of(s.to.height - s.to.top, s.to.step), s.tiles.outputs());
  s.tiles.across = parts_of(parts_of(s.to.width - s.to.left, s.to.step), s.tiles.outputs());
}

}  // namespace

Sum forward_sum(const ConvGeometry& g) {
  const ConvGemm whole = gemm::forward_product(g);
  Sum sum{.terms = {},
          .to = {g.y.n, g.y.h, g.y.w, g.y.c, 0, 1, 0, 0},
          .tiles = {.images = g.y.n, .down = 0, .across = 0, .taps = 4 / g.stride}};
  for (int top = 0; top < g.stride; ++top)
    for (int left = 0; left < g.stride; ++left) {
      Term term{{g.x.n, g.x.h, g.x.w, g.x.c, 0, g.stride, top, left}, -g.pad, -g.pad, whole};
      if (g.stride == 2) {  // with padding 1, pixel 2 q + offset is tap 2 (q - i + offset) + 1 - offset of output i
        term.first_row = -top;
        term.first_col = -left;
        ConvGemmWeights& w = term.product.weights;
        w.row = 1 - top;
        w.col = 1 - left;
        w.row_step = w.col_step = 2;
      }
      sum.terms.push_back(term);
    }
  set_tiles(sum);
  return sum;
}

namespace {

std::vector<Sum> dgrad_sums(const ConvGeometry& g) {
  std::vector<Sum> sums;
  for (const ConvGemm& p : gemm::dgrad_products(g))
    sums.push_back({.terms = {{{g.y.n, g.y.h, g.y.w, g.y.c, 0, 1, 0, 0}, p.rows.top, p.rows.left, p}},
                    .to = {g.x.n, g.x.h, g.x.w, g.x.c, 0, g.stride, p.y_top, p.y_left},
                    .tiles = {.images = g.x.n, .down = 0, .across = 0, .taps = 4 / g.stride}});
  for (Sum& s : sums) set_tiles(s);
  return sums;
}

struct Workspace {
  float *u, *v, *m;
  std::size_t bytes;
  std::int64_t depth, u_plane, v_plane, m_plane;

  Workspace(const std::vector<Sum>& sums, void* memory) : depth(0), u_plane(0), v_plane(0), m_plane(0) {
    Scratch parts(memory);
    for (const Term& t : sums[0].terms) depth += t.view.channels;
    u_plane = depth * packed_columns(sums[0].to.channels);
    v_plane = sums[0].tiles.count() * depth;  // the first has the most
    m_plane = sums[0].tiles.count() * sums[0].to.channels;
    u = parts.take<float>(planes * u_plane);
    v = parts.take<float>(planes * v_plane);
    m = parts.take<float>(planes * m_plane);
    bytes = parts.bytes();
  }
};

struct Kernels {  // of the instruction set at the time of preparation
  const WinogradTapsKernels& transforms = IPA_SIMD_PICK(winograd_taps_kernels);
  const ConvGemmKernels& products = IPA_SIMD_PICK(conv_gemm_kernels);
};

void run_sum(const Kernels& kernels, const Sum& sum, const Tensor& y, const Tensor& x, const float* w,
             const Workspace& space, const ConvGemm& epilogue) {
  const TapTiles& tiles = sum.tiles;
  const std::int64_t columns = sum.to.channels, rows = tiles.rows(), count = tiles.count();
  const std::int64_t parts = parts_of(columns, 16), terms = static_cast<std::int64_t>(sum.terms.size());
#pragma omp parallel
  {
#pragma omp for schedule(static) collapse(2) nowait
    for (std::int64_t i = 0; i < terms; ++i)
      for (std::int64_t part = 0; part < parts; ++part) {
        const Term& t = sum.terms[static_cast<std::size_t>(i)];
        kernels.transforms.weights(t.product, w, tiles.taps, space.depth, i * t.view.channels, part * 16, space.u,
                                   space.u_plane);
      }
#pragma omp for schedule(static) collapse(2)
    for (std::int64_t i = 0; i < terms; ++i)
      for (std::int64_t row = 0; row < rows; ++row) {
        const Term& t = sum.terms[static_cast<std::size_t>(i)];
        PixelView view = t.view;
        view.pitch = x.pitch;
        kernels.transforms.input(tiles, view, x.f32(), t.first_row, t.first_col, row, space.v + i * t.view.channels,
                                 space.depth, space.v_plane);
      }
    const std::int64_t group = 4 * kernels.products.panel;
#pragma omp for schedule(static) collapse(2)
    for (std::int64_t p = 0; p < planes; ++p)
      for (std::int64_t column = 0; column < columns; column += group) {
        const ConvGemm g{.rows = gemm::rows_of_matrix(space.v + p * space.v_plane, count, space.depth, space.depth),
                         .weights = {.columns = columns},
                         .y_height = 1,
                         .y_width = count,
                         .y_step = 1,
                         .packed = space.u + p * space.u_plane,
                         .y = space.m + p * space.m_plane,
                         .y_pitch = columns};
        for (std::int64_t first = 0; first < count; first += kernels.products.block)
          kernels.products.multiply(g, first, std::min(count, first + kernels.products.block), column,
                                    std::min(columns, column + group));
      }
    PixelView to = sum.to;
    to.pitch = y.pitch;
#pragma omp for schedule(static)
    for (std::int64_t row = 0; row < rows; ++row)
      kernels.transforms.output(tiles, to, space.m, space.m_plane, epilogue, row);
  }
}

void run(const Kernels& kernels, const std::vector<Sum>& sums, const Tensor& y, const Tensor& x, const Tensor& w,
         ConvGemm epilogue, void* workspace) {
  const Workspace space(sums, workspace);
  epilogue.y = y.f32();
  for (const Sum& sum : sums) run_sum(kernels, sum, y, x, w.f32(), space, epilogue);
}

}  // namespace

bool supports(const ConvGeometry& g) {
  return g.w.h == 4 && g.w.w == 4 && (g.stride == 1 || g.stride == 2) && g.pad == 1 && g.dilation == 1;
}

// Measured as in conv_gemm.cpp (nominal GFLOP/s of oneDNN / ours); few tiles do not pay for transforming the weights:
//   forward  s1 256->512 @32: 110/292; s2 64->128 @128: 85/146, 128->256 @64: 106/170, 256->512 @32: 103/91
//   dgrad    s1 256->512 @32: 112/304; s2 64->128 @128: 101/144, 128->256 @64: 105/152, 256->512 @32: 99/102
//   wgrad    of conv_gemm / ours: s1 256->512 @32: 95/262; s2 64->128 @128: 53/107, 128->256 @64: 84/145,
//            256->512 @32: 84/73
bool is_faster(const ConvGeometry& g) {
  if (!supports(g) || std::min(g.x.c, g.y.c) < 32) return false;
  const std::int64_t outputs = 7 - 4 / g.stride;
  return g.y.n * parts_of(g.y.h, outputs) * parts_of(g.y.w, outputs) >= 128;
}

PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv(const ConvGeometry& g, bool bias, Activation a) {
  require(supports(g), "winograd_taps: not this convolution");
  std::vector<Sum> sums{forward_sum(g)};
  const Kernels kernels;
  const std::size_t bytes = Workspace(sums, nullptr).bytes;
  return {[=, sums = std::move(sums)](Stream& stream, Tensor y, Tensor x, Tensor w, Tensor b, void* workspace) {
            run(kernels, sums, y, x, w,
                {.bias = bias ? b.f32() : nullptr,
                 .rectify = is_piecewise_linear(a) && a.kind != Activation::Kind::none,
                 .slope = a.slope},
                workspace);
            if (!is_piecewise_linear(a)) activation_forward(stream, y, y, a);
          },
          bytes};
}

PreparedConv<Tensor, Tensor, Tensor> prepare_conv_dgrad(const ConvGeometry& g) {
  require(supports(g), "winograd_taps: not this convolution");
  std::vector<Sum> sums = dgrad_sums(g);
  const Kernels kernels;
  const std::size_t bytes = Workspace(sums, nullptr).bytes;
  return {[=, sums = std::move(sums)](Stream&, Tensor dx, Tensor dy, Tensor w, void* workspace) {
            run(kernels, sums, dx, dy, w, {}, workspace);
          },
          bytes};
}

}  // namespace ipa::winograd_taps
