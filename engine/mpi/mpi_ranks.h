// Ranks started by mpirun, by MPI itself: on any number of hosts, with nothing to set. These
// files are built where IPA_MPI finds it, into a plug-in that the program loads (engine/mpi_plugin.h).
#pragma once

#include <memory>

#include "engine/comm.h"
#include "engine/rendezvous.h"

namespace ipa {

// MPI from here to the end of this object; one in a process. Errors of MPI end the process, as is MPI's default.
class MpiSession {
 public:
  MpiSession();  // ErrorKind::device if this MPI cannot serve threads one at a time
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  // Rank, size and rank on the host; rank 0's host and a port that was free on it. All ranks call it together.
  LaunchPlace place() const;
};

// Sums by MPI, over whatever network it knows, with the bytes of SocketComm. Only the Comm's thread calls MPI while it
// lives. `group`, which watches over the ranks, is made at MpiSession::place(); both must outlive the Comm.
std::unique_ptr<Comm> mpi_comm(RankGroup& group);

}  // namespace ipa
