// One rank of `mpirun -n R mpi_process`: MPI's sums against the sum in the order of the ranks, to the byte.
#include <cstdio>

#include "engine/mpi/mpi_ranks.h"
#include "engine/rng.h"

using namespace ipa;

namespace {

std::vector<float> numbers(int rank, std::int64_t count) {
  RandomSequence random(9, RandomUse::mask_draw, static_cast<std::uint32_t>(rank), static_cast<std::uint32_t>(count));
  std::vector<float> v(static_cast<std::size_t>(count));
  for (float& x : v) x = random.normal();
  return v;
}

bool sums(Comm& comm) {
  const std::vector<std::int64_t> sizes{1, 2, 1000, 300'007};
  std::vector<std::vector<float>> mine, expected;
  for (const std::int64_t n : sizes) {
    mine.push_back(numbers(comm.rank(), n));
    expected.push_back(numbers(0, n));
    for (int r = 1; r < comm.size(); ++r) {
      const std::vector<float> more = numbers(r, n);
      for (std::size_t i = 0; i < more.size(); ++i) expected.back()[i] += more[i];
    }
  }
  Stream stream;
  for (std::vector<float>& v : mine)
    comm.start_all_reduce(stream, Tensor(v.data(), {vector_shape(static_cast<std::int64_t>(v.size()))}));
  comm.finish(stream);
  const bool right = mine == expected;  // before anything else waits
  std::vector<float> root = numbers(comm.rank(), 5000);
  comm.broadcast(Tensor(root.data(), {vector_shape(5000)}), comm.size() - 1);
  return right && root == numbers(comm.size() - 1, 5000) && comm.any(1u << comm.rank()) == (1u << comm.size()) - 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const MpiSession session;
    const LaunchPlace place = session.place();
    require(argc == 2 && place.size == std::atoi(argv[1]), "another number of ranks");
    RankGroup group(place, "v1");
    const std::unique_ptr<Comm> comm = mpi_comm(group);
    require(sums(*comm), "wrong sums");
    std::printf("rank %d of %d, %d on its host: right\n", place.rank, place.size, place.local_rank);
  } catch (const Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return e.exit_code();
  }
}
