// One rank of `mpirun -n R mpi_process`: MPI's sums against the sum in the order of the ranks, to the byte.
#include <cstdio>

#include "engine/mpi/mpi_ranks.h"
#include "tests/ranks/check_sums.h"

using namespace ipa;

int main(int argc, char** argv) {
  try {
    const MpiSession session;
    const LaunchPlace place = session.place();
    require(argc == 2 && place.size == std::atoi(argv[1]), "another number of ranks");
    RankGroup group(place, "v1");
    const std::unique_ptr<Comm> comm = mpi_comm(group);
    require(check_sums(*comm), "wrong sums");
    std::printf("rank %d of %d, %d on its host: right\n", place.rank, place.size, place.local_rank);
  } catch (const Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return e.exit_code();
  }
}
