#include "kernels/adam.h"

#include "kernels/adam.cuh"

namespace ipa::cuda {

void adam_rates(Stream& stream, Tensor rates, Tensor updates, Tensor lr, Tensor enabled, AdamConstants a) {
  launch(stream, 1, 1, 0, adam_rates_kernel, rates.f32(), updates.f32(), lr.f32(), enabled.f32(), a);
}

void adam_step(Stream& stream, Tensor p, Tensor copy, Tensor m, Tensor v, Tensor g, Tensor rates, Tensor enabled,
               AdamConstants a) {
  require(p.shape == vector_shape(p.shape.c) && (!copy.data || copy.shape == p.shape),
          "adam: the tensors must be flat");
  launch(stream, blocks_for(p.pitch / 8), threads_per_block, 0, adam_step_kernel, p.f32(),
         copy.data ? copy.b16() : nullptr, m.f32(), v.f32(), g.f32(), rates.f32(), enabled.f32(), AdamFloats(a),
         p.shape.c);
}

void sum_of_squares(Stream& stream, Tensor sum, Tensor x, void* workspace) {
  with_storage(x, [&]<class T>(T*) {
    JobList<ScalarSum<SquaresTerm<T>>> list;
    add_sum(list, x, SquaresTerm<T>{data_of<T>(x)}, sum, 1);
    launch_sums(stream, list, workspace);
  });
}

void check_finite(Stream& stream, Tensor flag, std::span<const Tensor> scalars, Tensor previous) {
  launch(stream, 1, 32, 0, check_finite_kernel, flag.f32(), ScalarList(scalars),
         previous.data ? previous.f32() : nullptr);
}

}  // namespace ipa::cuda
