// Ranks that are processes with CPUs, over TCP, without any library: each is connected to each. Sums travel on a thread
// of their own while the backward pass goes on: rank r gets share r of everybody's values, adds in the order of the
// ranks, and sends the sum to all, so that each rank sends and receives 2 (R-1)/R of the values' bytes.
#pragma once

#include <memory>

#include "engine/comm.h"
#include "engine/rendezvous.h"

namespace ipa {

// All ranks of `group` call it together; `group` must outlive the Comm.
std::unique_ptr<Comm> socket_comm(RankGroup& group);

}  // namespace ipa
