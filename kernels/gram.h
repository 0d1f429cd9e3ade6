// Gram matrices and the style loss. With F the (P, C) matrix of an image's P = h w pixels,
//   gram       G = F'F / (P C)                                    (N,1,C,C)
//   its gradient dF = F (dG + dG') / (P C)
//   style loss L = 1/N sum_n ||D_n||^2 / (4 C^2), D = gram(x) - gram(target)      (Gatys et al. 2016, eq. 4 and 5)
//   its gradient dF = dL F D / (N P C^3), D being symmetric
// Features and their gradient are of one type, fp32 or, on CUDA, bf16; matrices and the loss are fp32. Like conv.h,
// each is prepared once. FLOPs: 2 N P C^2 for each matrix product; norms are summed in double.
//
// On the CPU by the kernels of conv_gemm.h: of each 32 columns of G (AVX-512) the rows down to the diagonal, N P C (C +
// 32) FLOPs. The same bits on any number of threads.
//
// On CUDA D is one sum over the pixels of both images, so that it is 0 where they are equal and keeps its precision
// where G is much larger. The upper triangle of 64 x 64 tiles is computed, for parts of the pixels that are then added
// in order.
//   loss: bytes, every feature once; FLOPs, for each pixel and each of the two images C (C + 64). On an H200 (4.3 TB/s,
//   790 TFLOP/s) 16 x 256 x 256 x 64 in bf16 need 268 MB and 17 GFLOP: 0.062 ms. The parts, written and read, are 6 %
//   more bytes. Beyond 64 channels a feature is read by C / 64 tiles, but for the first time from the L2 cache.
//   gradient: a matmul by D (or dG + dG') in the features' type: in bf16 each element of it is rounded to 2^-9 of
//   itself, as each of the result is. Bytes, x and dx once: 268 MB, 0.062 ms; FLOPs 2 N P C^2.
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
  std::function<void(Stream&)> ready = {};  // where it is there: slow, to be called once before the first run
};

// run(stream, gram, x, workspace)
PreparedGram<Tensor, Tensor> prepare_gram(Device device, const Shape& x, DType dtype);
// run(stream, dx, x, dgram, workspace)
PreparedGram<Tensor, Tensor, Tensor> prepare_gram_backward(Device device, const Shape& x, DType dtype);
// run(stream, loss, difference, x, target, workspace)
PreparedGram<Tensor, Tensor, Tensor, Tensor> prepare_style_loss(Device device, const Shape& x, DType dtype);
// run(stream, dx, x, difference, dloss, workspace)
PreparedGram<Tensor, Tensor, Tensor, Tensor> prepare_style_loss_backward(Device device, const Shape& x, DType dtype);

namespace cuda {  // gram.cu
PreparedGram<Tensor, Tensor> prepare_gram(const Shape& x, DType dtype);
PreparedGram<Tensor, Tensor, Tensor> prepare_gram_backward(const Shape& x, DType dtype);
PreparedGram<Tensor, Tensor, Tensor, Tensor> prepare_style_loss(const Shape& x, DType dtype);
PreparedGram<Tensor, Tensor, Tensor, Tensor> prepare_style_loss_backward(const Shape& x, DType dtype);
}  // namespace cuda

}  // namespace ipa
