#include "engine/cuda/comm_nccl.h"

#include "engine/error.h"

namespace ipa::cuda {

std::unique_ptr<Comm> nccl_comm(RankGroup&, Device, const NcclOptions&) {
  fail(ErrorKind::device, "emulated devices have no NCCL", "several ranks", "use --device cpu");
}

}  // namespace ipa::cuda
