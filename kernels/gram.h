// Gram matrices and the style loss on packed fp32 tensors. With F the (P, C) matrix of an image's P = h w pixels,
//   gram       G = F'F / (P C)                                    (N,1,C,C)
//   its gradient dF = F (dG + dG') / (P C)
//   style loss L = 1/N sum_n ||D_n||^2 / (4 C^2), D = gram(x) - gram(target)      (Gatys et al. 2016, eq. 4 and 5)
//   its gradient dF = dL F D / (N P C^3), D being symmetric
// Like conv.h, each is prepared once. FLOPs: 2 N P C^2 for each matrix product; norms are summed in double.
#pragma once

#include <cstddef>
#include <functional>

#include "engine/stream.h"
#include "engine/tensor.h"

namespace ipa {

template <class... Tensors>
struct PreparedGram {
  std::function<void(Stream&, Tensors..., void* workspace)> run;
  std::size_t workspace_bytes = 0;
};

PreparedGram<Tensor, Tensor> prepare_gram(const Shape& x);                   // run(stream, gram, x, workspace)
PreparedGram<Tensor, Tensor, Tensor> prepare_gram_backward(const Shape& x);  // run(stream, dx, x, dgram, workspace)
// run(stream, loss, difference, x, target, workspace)
PreparedGram<Tensor, Tensor, Tensor, Tensor> prepare_style_loss(const Shape& x);
// run(stream, dx, x, difference, dloss, workspace)
PreparedGram<Tensor, Tensor, Tensor, Tensor> prepare_style_loss_backward(const Shape& x);

}  // namespace ipa
