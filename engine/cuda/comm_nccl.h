// Ranks with one CUDA device each, by NCCL.
//
// Sums run on a side stream between events, so that a step with them can be captured as one CUDA graph; capture in
// cudaStreamCaptureModeThreadLocal, since other threads keep calling CUDA. The first collectives must run once before
// a capture, as NCCL connects when it is first used.
//
// A captured graph holds the communicator. Order of destruction: executable graphs, then the Comm, then the RankGroup.
//
// A watchdog polls the communicator and the group. A lost or hung rank makes it abort the communicator, so that kernels
// that wait for the rank end; the training thread then gets the first failure from check() or its next call,
// ErrorKind::device. If it does not come back, the watchdog ends the process with exit code 5.
#pragma once

#include <memory>

#include "engine/comm.h"
#include "engine/rendezvous.h"

namespace ipa::cuda {

struct NcclOptions {
  Milliseconds connect{120'000};
  Milliseconds step{120'000};  // from one alive() to the next; above RendezvousOptions::stall, which knows who hangs
};

// All ranks of `group` call it together, each with a device of its own; `group` must outlive the Comm.
std::unique_ptr<Comm> nccl_comm(RankGroup& group, Device device, const NcclOptions& options = {});

}  // namespace ipa::cuda
