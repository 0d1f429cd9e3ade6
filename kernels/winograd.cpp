#include "kernels/winograd.h"

#include <omp.h>

#include "kernels/pointwise.h"
#include "kernels/scratch.h"
#include "kernels/winograd_kernels.h"

namespace ipa::winograd {
namespace {

const float* vector(const Tensor& t, bool wanted, std::int64_t channels) {
  if (!wanted) return nullptr;
  require(t.elements() == channels, "winograd: a vector needs one element per channel");
  return t.f32();
}

struct Workspace {
  float *weights, *scratch;
  std::size_t bytes;

  Workspace(const WinogradLayout& l, int threads, void* memory) {
    Scratch parts(memory);
    weights = parts.take<float>(l.weights_floats);
    scratch = parts.take<float>(l.scratch_floats * threads);
    bytes = parts.bytes();
  }
};

// f(first, last) for this thread's share of `count`.
template <class F>
void share(std::int64_t count, F&& f) {
  const std::int64_t of = omp_get_num_threads(), me = omp_get_thread_num();
  f(count * me / of, count * (me + 1) / of);
}

WinogradCall call_of(const WinogradShape& s, const Options& options, const Operands& o) {
  const auto& [y, x, w, x_scale, x_shift, y_scale, y_shift, added] = o;
  return {.shape = s,
          .x = x.f32(),
          .x_pitch = x.pitch,
          .x_scale = vector(x_scale, options.input_affine, s.in),
          .x_shift = vector(x_shift, options.input_affine, s.in),
          .x_relu = options.input_relu,
          .weights = nullptr,
          .y = y.f32(),
          .y_pitch = y.pitch,
          .y_scale = vector(y_scale, options.output_scale, s.out),
          .y_shift = vector(y_shift, options.output_shift, s.out),
          .added = options.add ? added.f32() : nullptr,
          .added_pitch = added.pitch,
          .y_rectify = options.activation.kind != Activation::Kind::none,
          .y_slope = options.activation.slope};
}

}  // namespace

bool supports(const ConvGeometry& g) {
  return g.w.h == 3 && g.w.w == 3 && g.stride == 1 && g.pad == 1 && g.dilation == 1;
}

// Read off `bench_conv --networks` (VGG-19's are among them) for width 32 at 256^2, batch 4, and at 128^2, batch 1, 4
// and 8, and for widths 8 and 16 at 128^2, batch 1 (AVX-512, 2 cores of a Zen 4; times as fast as the better of
// oneDNN's two layouts, reorders included):
//   tiles of 4x4            channels                        forward     backward-data
//   from 64 on              8 and more read, few written    1.5..3      1.2..2.6 (64->8), 3.5 (3->64)
//                           8 to 26 on both sides           1.2..2      1.7..2.5
//                           32 to 512                       1.4..3.6    1.4..4
//   from 64 on              1 to 4 read                     0.1..0.9    0.7..1.6
//   16 to 32 (8x8 images)   71 to 512                       0.9..1.3    0.7..1.2
//   4 to 16                 any                             0.3..1.6    0.4..1.6: transforming the weights costs most
// The same shapes win with AVX2 and with the portable vectors (8->17 to 17->26 with AVX2: a tie).
bool is_faster(ConvPass pass, const ConvGeometry& g) {
  constexpr std::int64_t least_tiles = 64, least_channels = 8;
  const std::int64_t tiles = g.x.n * ((g.x.h + 3) / 4) * ((g.x.w + 3) / 4);
  const std::int64_t read = pass == ConvPass::forward ? g.x.c : g.y.c;
  return pass != ConvPass::wgrad && supports(g) && tiles >= least_tiles && read >= least_channels;
}

PreparedConv<Operands> prepare(const ConvGeometry& g, const Options& options) {
  require(supports(g) && is_piecewise_linear(options.activation), "winograd: not this convolution");
  WinogradShape s{g.x.n, g.x.h, g.x.w, g.x.c, g.y.c};
  if (options.backward_data) std::swap(s.in, s.out);
  const WinogradKernels& kernels = IPA_SIMD_PICK(winograd_kernels);
  const WinogradLayout layout = kernels.layout(s);
  const int threads = omp_get_max_threads();
  auto run = [=, &kernels](Stream&, const Operands& o, void* memory) {
    const Workspace workspace(layout, threads, memory);
    WinogradCall call = call_of(s, options, o);
    call.weights = workspace.weights;
#pragma omp parallel num_threads(threads)
    {
      share(layout.weights_parts, [&](std::int64_t first, std::int64_t last) {
        kernels.transform_weights(s, o.w.f32(), options.backward_data, workspace.weights, first, last);
      });
#pragma omp barrier
      share(layout.strips, [&](std::int64_t first, std::int64_t last) {
        kernels.run(call, first, last, workspace.scratch + omp_get_thread_num() * layout.scratch_floats);
      });
    }
  };
  return {run, Workspace(layout, threads, nullptr).bytes};
}

PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv(const ConvGeometry& g, bool bias, Activation a) {
  auto p = prepare(g, {.output_shift = bias, .activation = is_piecewise_linear(a) ? a : no_activation});
  return {[=](Stream& stream, Tensor y, Tensor x, Tensor w, Tensor b, void* workspace) {
            p.run(stream, {.y = y, .x = x, .w = w, .y_shift = b}, workspace);
            if (!is_piecewise_linear(a)) activation_forward(stream, y, y, a);
          },
          p.workspace_bytes};
}

PreparedConv<Tensor, Tensor, Tensor> prepare_conv_dgrad(const ConvGeometry& g) {
  auto p = prepare(g, {.backward_data = true});
  return {[=](Stream& stream, Tensor dx, Tensor dy, Tensor w, void* workspace) {
            p.run(stream, {.y = dx, .x = dy, .w = w}, workspace);
          },
          p.workspace_bytes};
}

PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv_dgrad_add(const ConvGeometry& g) {
  auto p = prepare(g, {.backward_data = true, .add = true});
  return {[=](Stream& stream, Tensor dx, Tensor dy, Tensor w, Tensor added, void* workspace) {
            p.run(stream, {.y = dx, .x = dy, .w = w, .added = added}, workspace);
          },
          p.workspace_bytes};
}

}  // namespace ipa::winograd
