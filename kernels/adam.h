// The optimiser's kernels on flat fp32 tensors. Bound by memory bandwidth: on an H200 (4.3 TB/s) a step of the
// cascade's 14.5 M parameters moves 434 MB with the bf16 copy and needs at least 0.10 ms, its gradient's norm (58 MB)
// 0.014 ms.
#pragma once

#include <cstddef>
#include <span>

#include "engine/stream.h"
#include "engine/tensor.h"

namespace ipa {

// Kingma & Ba 2015 as PyTorch computes it: m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2,
// p -= rates[0] m / (sqrt(v) rates[1] + eps). No byte moves unless enabled[0] > 0. `copy`, where it has data, gets p in
// bf16 (CUDA only). Bytes: seven passes of one tensor, and half a one for the copy: 30 B a parameter.
struct AdamConstants {
  double beta1, beta2, eps;
};
struct AdamFloats {  // as the steps use them; 1 - beta in double
  float beta1, rest1, beta2, rest2, eps;
  explicit AdamFloats(AdamConstants a)
      : beta1(static_cast<float>(a.beta1)),
        rest1(static_cast<float>(1 - a.beta1)),
        beta2(static_cast<float>(a.beta2)),
        rest2(static_cast<float>(1 - a.beta2)),
        eps(static_cast<float>(a.eps)) {}
};
void adam_step(Stream& stream, Tensor p, Tensor copy, Tensor m, Tensor v, Tensor g, Tensor rates, Tensor enabled,
               AdamConstants a);

// The bias corrections of the next update, t = updates[0] + 1: rates (1,1,1,2) = {lr / (1 - beta1^t),
// 1 / sqrt(1 - beta2^t)}, in double. Where enabled[0] > 0 that update is being made: updates[0] = t.
void adam_rates(Stream& stream, Tensor rates, Tensor updates, Tensor lr, Tensor enabled, AdamConstants a);

// sum[0] = sum of squares, in double, in an order fixed by the shape; not finite where an element is not.
void sum_of_squares(Stream& stream, Tensor sum, Tensor x, void* workspace);
std::size_t sum_of_squares_workspace_bytes(Device device, const Shape& x);

// flag[0] = 1 if every scalar is finite and `previous`, where it has data, is not 0; else 0. On CUDA at most 32
// scalars.
void check_finite(Stream& stream, Tensor flag, std::span<const Tensor> scalars, Tensor previous);

namespace cuda {  // adam.cu
decltype(ipa::adam_step) adam_step;
decltype(ipa::adam_rates) adam_rates;
decltype(ipa::sum_of_squares) sum_of_squares;
decltype(ipa::check_finite) check_finite;
}  // namespace cuda

}  // namespace ipa
