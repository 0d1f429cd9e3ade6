#include "engine/make_comm.h"

#include "engine/cuda/comm_nccl.h"
#include "engine/on_device.h"
#include "engine/socket_comm.h"

namespace ipa {

std::unique_ptr<Comm> make_comm(RankGroup& group, Device device) {
  return on_device(
      device, [&] { return socket_comm(group); }, [&] { return cuda::nccl_comm(group, device); });
}

}  // namespace ipa
