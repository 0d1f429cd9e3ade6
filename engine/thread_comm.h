// Ranks that are threads of one process: for tests, and for devices that are emulated. Memory of all ranks is the
// host's; sums are made in finish().
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "engine/comm.h"

namespace ipa {

// One Comm for each of `ranks` threads. A thread that destroys its own while another waits makes that one throw.
std::vector<std::unique_ptr<Comm>> thread_comms(int ranks);

// Runs f(comm) on a thread for each of `ranks`, which ends its rank; throws on what the first rank that failed threw.
void on_thread_ranks(int ranks, const std::function<void(Comm&)>& f);

}  // namespace ipa
