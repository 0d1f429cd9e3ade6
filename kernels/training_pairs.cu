#include "kernels/training_pairs.h"

#include "kernels/training_pairs.cuh"

namespace ipa::cuda {
namespace {

template <class Pixel>
void make(Stream& stream, const Tensor& target, const Tensor& corrupted, const Tensor& mask, const Pixel* slices,
          const Tensor& masks, const Tensor& order, const Tensor& step, const PairAttributes& a,
          const PairWorkspace& workspace) {
  const auto side = static_cast<int>(target.shape.h);
  const PairSlices s{side, target.shape.pixels(), order.i32()};
  const MaskRule rule{side, side, masks.data ? static_cast<std::uint32_t>(masks.shape.n) : 0, a.redraw};
  const std::uint8_t* set = masks.data ? masks.u8() : nullptr;
  launch(stream, dim3(static_cast<unsigned>(target.shape.n)), pair_draw_threads, pair_draw_shared_bytes,
         draw_pairs_kernel<Pixel>, workspace, slices, s, set, rule, step.i32(), a);
  with_storage(target, [&]<class T>(T*) {
    launch(stream, blocks_for(s.count), threads_per_block, 0, write_pairs_kernel<T, Pixel>, data_of<T>(target),
           data_of<T>(corrupted), data_of<T>(mask), workspace, slices, s, set, rule, a.hole);
  });
}

}  // namespace

void make_training_pairs(Stream& stream, Tensor target, Tensor corrupted, Tensor mask, Tensor slices, Tensor masks,
                         Tensor order, Tensor step, PairAttributes a, void* workspace) {
  const PairWorkspace w(workspace, target.shape);
  if (slices.dtype == DType::u8)
    make(stream, target, corrupted, mask, slices.u8(), masks, order, step, a, w);
  else
    make(stream, target, corrupted, mask, slices.f32(), masks, order, step, a, w);
}

}  // namespace ipa::cuda
