// What cuBLASLt does on a GPU: matrix products, here by the CPU backend on fp32 copies of the operands, whose result is
// rounded to the storage type.
#include "kernels/matmul.h"

#include <memory>

#include "engine/buffer.h"
#include "engine/emulation/queue.h"
#include "engine/transfer.h"

namespace ipa::cuda {

PreparedMatmul prepare_matmul(const MatmulGeometry& g, DType dtype) {
  // The operands as tensors of one row, which need no padding of their own.
  const auto packed = [dtype](const void* data, std::int64_t elements) {
    return Tensor(const_cast<void*>(data), {{elements, 1, 1, 1}, dtype});
  };
  auto prepared = std::make_shared<PreparedMatmul>(onednn::prepare_matmul(g));
  return {[g, packed, prepared](Stream& stream, void* c, const void* a, const void* b, void*) {
    emulation::enqueue(stream, [=] {
      const std::vector<float> left = to_host(packed(a, g.batch * g.m * g.k)),
                               right = to_host(packed(b, g.batch * g.k * g.n));
      std::vector<float> product(static_cast<std::size_t>(g.batch * g.m * g.n));
      const Buffer workspace("emulated matmul", prepared->workspace_bytes);
      Stream cpu;
      prepared->run(cpu, product.data(), left.data(), right.data(), workspace.data());
      from_host(product, packed(c, g.batch * g.m * g.n));
    });
  }};
}

}  // namespace ipa::cuda
