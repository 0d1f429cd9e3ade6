#include "kernels/conv_gemm.h"

#include <vector>

#include "engine/error.h"
#include "kernels/conv_gemm_products.h"
#include "kernels/parallel.h"
#include "kernels/pointwise.h"
#include "kernels/scratch.h"

namespace ipa::gemm {
namespace {

// Few blocks of points are divided further, by columns.
constexpr std::int64_t many_tasks = 32;

PixelRows rows_of(const Shape& x, const Shape& grid, std::int64_t step, std::int64_t spacing) {
  return {.images = x.n,
          .height = x.h,
          .width = x.w,
          .channels = x.c,
          .grid_h = grid.h,
          .grid_w = grid.w,
          .step = step,
          .spacing = spacing};
}

}  // namespace

ConvGemm forward_product(const ConvGeometry& g) {
  const Shape& w = g.w;
  ConvGemm product{.rows = rows_of(g.x, g.y, g.stride, g.dilation),
                   .weights = {.columns = w.n,
                               .column_stride = w.h * w.w * w.c,
                               .channel_stride = 1,
                               .row_stride = w.w * w.c,
                               .col_stride = w.c,
                               .row_step = 1,
                               .col_step = 1},
                   .y_height = g.y.h,
                   .y_width = g.y.w,
                   .y_step = 1};
  product.rows.top = product.rows.left = -g.pad;
  product.rows.taps_h = w.h;
  product.rows.taps_w = w.w;
  return product;
}

namespace {

// Along one axis, the pixels `offset`, `offset` + stride, ... of dx. The kernel's taps that reach them are every
// stride-th, and in the order of the pixels of dy they come from the last to the first.
struct Axis {
  std::int64_t points, first_pixel, taps, first_tap, tap_step;

  Axis(const ConvGeometry& g, std::int64_t extent, std::int64_t kernel, std::int64_t offset) {
    const std::int64_t least = (offset + g.pad) % g.stride;  // tap
    points = parts_of(extent - offset, g.stride);
    taps = least < kernel ? (kernel - 1 - least) / g.stride + 1 : 0;
    first_pixel = (offset + g.pad - least) / g.stride - (taps - 1) * g.dilation;
    first_tap = least + (taps - 1) * g.stride;
    tap_step = -g.stride;
  }
};

}  // namespace

std::vector<ConvGemm> dgrad_products(const ConvGeometry& g) {
  require(g.stride == 1 || g.dilation == 1, "conv_gemm: stride and dilation in one convolution");
  const Shape& w = g.w;
  std::vector<ConvGemm> products;
  std::int64_t packed_at = 0;
  for (int top = 0; top < std::min<std::int64_t>(g.stride, g.x.h); ++top)
    for (int left = 0; left < std::min<std::int64_t>(g.stride, g.x.w); ++left) {
      const Axis down(g, g.x.h, w.h, top), right(g, g.x.w, w.w, left);
      ConvGemm product{.rows = rows_of(g.y, {g.x.n, down.points, right.points, 0}, 1, g.dilation),
                       .weights = {.columns = w.c,
                                   .column_stride = 1,
                                   .channel_stride = w.h * w.w * w.c,
                                   .row_stride = w.w * w.c,
                                   .col_stride = w.c,
                                   .row = down.first_tap,
                                   .row_step = down.tap_step,
                                   .col = right.first_tap,
                                   .col_step = right.tap_step},
                       .y_height = g.x.h,
                       .y_width = g.x.w,
                       .y_step = g.stride,
                       .y_top = top,
                       .y_left = left,
                       .packed_at = packed_at};
      product.rows.top = down.first_pixel;
      product.rows.left = right.first_pixel;
      product.rows.taps_h = down.taps;
      product.rows.taps_w = right.taps;
      packed_at += product.rows.columns() * packed_columns(w.c);
      products.push_back(product);
    }
  return products;
}

namespace {

std::size_t packed_bytes(const std::vector<ConvGemm>& products) {
  const ConvGemm& last = products.back();
  const std::int64_t floats = last.packed_at + last.rows.columns() * packed_columns(last.weights.columns);
  return static_cast<std::size_t>(floats) * sizeof(float);
}

void pack(const ConvGemmKernels& kernels, const ConvGemm& g, const float* w, float* packed) {
  const std::int64_t taps = g.rows.taps_h * g.rows.taps_w, panels = parts_of(g.weights.columns, kernels.panel);
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < taps * panels; ++i) kernels.pack(g, w, i % taps, i / taps * kernels.panel, packed);
}

// All products: first their weights are packed, then blocks of points go through all of them, since they read the same
// pixels and write neighbouring ones.
void run(const ConvGemmKernels& kernels, std::vector<ConvGemm>& products, const Tensor& y, const Tensor& x,
         const Tensor& w, const Tensor& added, void* workspace) {
  require(!added.data || added.pitch == y.pitch, "conv_gemm: what is added must lie as the result does");
  std::int64_t blocks = 0;
  for (ConvGemm& g : products) {
    g.rows.pixels = x.f32();
    g.rows.pitch = x.pitch;
    g.y = y.f32();
    g.y_pitch = y.pitch;
    g.added = added.data ? added.f32() : nullptr;
    float* const packed = static_cast<float*>(workspace) + g.packed_at;
    pack(kernels, g, w.f32(), packed);
    g.packed = packed;
    blocks = std::max(blocks, parts_of(g.rows.points(), kernels.block));
  }
  const std::int64_t columns = products.front().weights.columns;
  const std::int64_t part = blocks >= many_tasks ? columns : 4 * kernels.panel;
#pragma omp parallel for schedule(static) collapse(2)
  for (std::int64_t column = 0; column < columns; column += part)
    for (std::int64_t b = 0; b < blocks; ++b)
      for (const ConvGemm& g : products) {
        const std::int64_t first = b * kernels.block, last = std::min(g.rows.points(), first + kernels.block);
        if (first < last) kernels.multiply(g, first, last, column, std::min(columns, column + part));
      }
}

}  // namespace

// Measured for the networks' shapes at width 32, batch 4 (AVX-512, one core of a Zen 4, peak 116 GFLOP/s; GFLOP/s of
// oneDNN / ours):
//   forward  1x1: 32->32 @256: 90/74, 64->51: 63/81, 51->105 @128: 65/94, 256->212 @64: 92/99, 512->426 @32: 104/97
//            2x2 s2: 32->105 @256: 30/94, 128->426 @64: 82/104
//            4x4 s2: 2->64 @256: 88/69, 64->128 @128: 85/107, 128->256 @64: 106/106, 256->512 @32: 103/96
//   dgrad    1x1: 32->32 @256: 99/84, 51->105 @128: 56/95, 256->212 @64: 84/109; 2x2 s2: 32->105 @256: 53/101
//            4x4: s2 64->128 @128: 101/100, s1 256->512 @32: 112/95
//   wgrad    1x1: 32->32 @256: 48/79, 51->32: 86/72, 64->51: 57/76, 128->105 @128: 57/83, 512->426 @32: 101/85
//            2x2 s2: 32->105 @256: 43/91; 4x4: s2 64->128 @128: 83/100, s1 256->512 @32: 97/95
// Weight gradients are always ours: oneDNN's order of sums depends on the number of threads.
bool is_faster(ConvPass pass, const ConvGeometry& g) {
  require(pass != ConvPass::wgrad, "conv_gemm: weight gradients are never oneDNN's");
  const std::int64_t read = pass == ConvPass::forward ? g.x.c : g.y.c;
  return g.w.h <= 2 && g.w.w <= 2 && g.dilation == 1 && read > 1;  // a sum of one term is no product
}

PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv(const ConvGeometry& g, bool bias, Activation a) {
  const ConvGemmKernels& kernels = IPA_SIMD_PICK(conv_gemm_kernels);
  std::vector<ConvGemm> products{forward_product(g)};
  products[0].rectify = is_piecewise_linear(a) && a.kind != Activation::Kind::none;
  products[0].slope = a.slope;
  const std::size_t bytes = packed_bytes(products);
  return {[=, &kernels](Stream& stream, Tensor y, Tensor x, Tensor w, Tensor b, void* workspace) mutable {
            products[0].bias = bias ? b.f32() : nullptr;
            run(kernels, products, y, x, w, {}, workspace);
            if (!is_piecewise_linear(a)) activation_forward(stream, y, y, a);
          },
          bytes};
}

PreparedConv<Tensor, Tensor, Tensor> prepare_conv_dgrad(const ConvGeometry& g) {
  const ConvGemmKernels& kernels = IPA_SIMD_PICK(conv_gemm_kernels);
  std::vector<ConvGemm> products = dgrad_products(g);
  const std::size_t bytes = packed_bytes(products);
  return {[=, &kernels](Stream&, Tensor dx, Tensor dy, Tensor w, void* workspace) mutable {
            run(kernels, products, dx, dy, w, {}, workspace);
          },
          bytes};
}

PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv_dgrad_add(const ConvGeometry& g) {
  const ConvGemmKernels& kernels = IPA_SIMD_PICK(conv_gemm_kernels);
  std::vector<ConvGemm> products = dgrad_products(g);
  const std::size_t bytes = packed_bytes(products);
  return {[=, &kernels](Stream&, Tensor dx, Tensor dy, Tensor w, Tensor added, void* workspace) mutable {
            run(kernels, products, dx, dy, w, added, workspace);
          },
          bytes};
}

PreparedConv<Tensor, Tensor, Tensor> prepare_conv_wgrad(const ConvGeometry& g) {
  const ConvGemmWgradKernels& kernels = IPA_SIMD_PICK(conv_gemm_wgrad_kernels);
  const PixelRows rows = forward_product(g).rows;
  // Columns by twos of panels; where that gives few tasks, the points too are taken in parts.
  const std::int64_t points = rows.points(), columns = rows.columns(), out = g.w.n, group = 4 * kernels.panel;
  const std::int64_t groups = parts_of(columns, group), blocks = parts_of(points, kernels.block);
  const std::int64_t parts =
      std::clamp<std::int64_t>(parts_of(many_tasks, groups), 1, std::max<std::int64_t>(blocks / 4, 1));
  const std::int64_t part_floats = packed_columns(columns) * out;
  return {[=, &kernels](Stream&, Tensor dw, Tensor x, Tensor dy, void* workspace) {
            ConvGemmWgrad sum{.rows = rows, .dy = dy.f32(), .dy_pitch = dy.pitch, .out = out};
            sum.rows.pixels = x.f32();
            sum.rows.pitch = x.pitch;
            auto* const sums = static_cast<float*>(workspace);
            float* const to = dw.f32();
#pragma omp parallel
            {
#pragma omp for schedule(static) collapse(2)
              for (std::int64_t p = 0; p < parts; ++p)
                for (std::int64_t i = 0; i < groups; ++i)
                  kernels.accumulate(sum, points * p / parts, points * (p + 1) / parts, i * group,
                                     std::min(columns, (i + 1) * group), sums + p * part_floats,
                                     parts == 1 ? to : nullptr);
#pragma omp for schedule(static)
              for (std::int64_t o = 0; o < (parts > 1 ? out : 0); ++o)
                kernels.add_up(sum, o, sums, parts, part_floats, to);
            }
          },
          static_cast<std::size_t>(parts * part_floats) * sizeof(float)};
}

}  // namespace ipa::gemm
