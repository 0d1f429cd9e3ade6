#include "kernels/winograd_wgrad.h"

#include <omp.h>

#include "kernels/scratch.h"
#include "kernels/winograd.h"
#include "kernels/winograd_wgrad_kernels.h"

namespace ipa::winograd {
namespace {

struct Workspace {
  float *shared, *scratch;
  std::size_t bytes;

  Workspace(const WinogradWgradWork& work, int threads, void* memory) {
    Scratch parts(memory);
    shared = parts.take<float>(work.shared_floats);
    scratch = parts.take<float>(work.scratch_floats * threads);
    bytes = parts.bytes();
  }
};

}  // namespace

// Read off `bench_conv --networks --filter wgrad` for widths 8, 16 and 32 at 256^2 and 128^2, batch 1, 4 and, of width
// 32, 8 (AVX-512, 2 cores of a Zen 4; times as fast as the better of oneDNN's two layouts, reorders included; least,
// median and most of so many shapes):
//   channels of x   tiles of 4x4     shapes
//   1               1024 to 32768    14       0.4, 0.6, 1.1
//   2 to 4          256 to 16384     16       0.9, 1.7, 5.9
//   8 to 26         256 and more     83       1.2, 2.3, 7.7
//   32 to 512       256 and more     141      1.5, 2.8, 5.2
//   8 to 512        64 to 128        65       0.7, 2.7, 3.4: below 1.2 in three of less than 0.11 ms
//   17 to 512       4 to 32          45       1.4, 2.5, 3.1
bool wgrad_is_faster(const ConvGeometry& g) { return supports(g) && g.x.c > 1; }

PreparedConv<WgradOperands> prepare_wgrad(const ConvGeometry& g, const WgradOptions& options) {
  require(supports(g), "winograd: not this convolution");
  const WinogradShape s{g.x.n, g.x.h, g.x.w, g.x.c, g.y.c};
  const WinogradWgradKernels& kernels = IPA_SIMD_PICK(winograd_wgrad_kernels);
  const WinogradWgradWork work = kernels.work(s);
  const int threads = omp_get_max_threads();
  auto run = [=, &kernels](Stream&, const WgradOperands& o, void* memory) {
    require(!options.input_affine || (o.x_scale.elements() == s.in && o.x_shift.elements() == s.in),
            "winograd: a vector needs one element per channel");
    const Workspace workspace(work, threads, memory);
    const WinogradWgradCall call{.forward = {.shape = s,
                                             .x = o.x.f32(),
                                             .x_pitch = o.x.pitch,
                                             .x_scale = options.input_affine ? o.x_scale.f32() : nullptr,
                                             .x_shift = options.input_affine ? o.x_shift.f32() : nullptr,
                                             .x_relu = options.input_relu},
                                 .dy = o.dy.f32(),
                                 .dy_pitch = o.dy.pitch,
                                 .dw = o.dw.f32()};
#pragma omp parallel num_threads(threads)
    for (std::int64_t phase = 0; phase < work.phases; ++phase) {
      float* const scratch = workspace.scratch + omp_get_thread_num() * work.scratch_floats;
      const std::int64_t parts = kernels.parts(s, phase);
#pragma omp for schedule(dynamic)  // and wait for each other
      for (std::int64_t part = 0; part < parts; ++part) kernels.run(call, phase, part, workspace.shared, scratch);
    }
  };
  return {run, Workspace(work, threads, nullptr).bytes};
}

PreparedConv<Tensor, Tensor, Tensor> prepare_conv_wgrad(const ConvGeometry& g) {
  const auto p = prepare_wgrad(g, {});
  return {[run = p.run](Stream& stream, Tensor dw, Tensor x, Tensor dy, void* workspace) {
            run(stream, {.dw = dw, .x = x, .dy = dy}, workspace);
          },
          p.workspace_bytes};
}

}  // namespace ipa::winograd
