// Which rank of how many this process is, as its launcher's environment says, and where the ranks meet.
//
//   launcher                 rank, size, rank on its host                       where rank 0 is met
//   torchrun, or by hand     RANK, WORLD_SIZE, LOCAL_RANK                       MASTER_ADDR, MASTER_PORT
//   Open MPI's mpirun        OMPI_COMM_WORLD_RANK, ..._SIZE, ..._LOCAL_RANK     the same if set; else on one host only
//   Slurm's srun             SLURM_PROCID, SLURM_STEP_NUM_TASKS, SLURM_LOCALID  the same if set; else the first host
//                            (or SLURM_NTASKS)                                  of SLURM_STEP_NODELIST, a port by job
//                            id
//
// Where torchrun listens at MASTER_PORT itself (TORCHELASTIC_USE_AGENT_STORE=True), at a port made of that one.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace ipa {

struct LaunchPlace {
  int rank = 0, size = 1, local_rank = 0;
  std::string host;  // of rank 0; empty: not known
  int port = 0;
  std::string launcher;  // for messages
};

inline constexpr const char* open_mpi = "Open MPI";  // a launcher

using Environment = std::function<const char*(const char*)>;  // as std::getenv

// None: no launcher, a process on its own. Looks in the table's order, since torchrun runs under srun and mpirun under
// Slurm. ErrorKind::usage, naming the variable, where a set is incomplete, malformed or contradicts itself.
std::optional<LaunchPlace> find_launch_place(const Environment& environment);
std::optional<LaunchPlace> find_launch_place();  // of this process

// The first host of a Slurm list: "node[03-07,9],login" is "node03", "rack[1-2]n[01-04]" is "rack1n01".
std::string first_host(const std::string& node_list);

}  // namespace ipa
