#include "kernels/matmul.h"

#include "engine/on_device.h"

namespace ipa {

PreparedMatmul prepare_matmul(Device device, const MatmulGeometry& g, DType dtype) {
  return prepare_on_device(
      device,
      [&] {
        require(dtype == DType::f32, "matmul: on the CPU the operands are fp32");
        return onednn::prepare_matmul(g);
      },
      [&] { return cuda::prepare_matmul(g, dtype); }, matmul_workspace_limit);
}

}  // namespace ipa
