// The Comm that suits the device which the ranks of a group compute on: SocketComm for CPUs, NcclComm for CUDA devices.
#pragma once

#include <memory>

#include "engine/comm.h"
#include "engine/rendezvous.h"

namespace ipa {

// All ranks of `group` call it together, on devices of one kind; on CUDA each with a device of its own. `group` must
// outlive the Comm.
std::unique_ptr<Comm> make_comm(RankGroup& group, Device device);

}  // namespace ipa
