// What every rank of a test checks of its Comm.
#pragma once

#include <vector>

#include "engine/comm.h"
#include "engine/rng.h"

namespace ipa {

inline std::vector<float> numbers(int rank, std::int64_t count) {
  RandomSequence random(9, RandomUse::mask_draw, static_cast<std::uint32_t>(rank), static_cast<std::uint32_t>(count));
  std::vector<float> v(static_cast<std::size_t>(count));
  for (float& x : v) x = random.normal();
  return v;
}

// Sums of several sizes at once, against the sum in the order of the ranks; broadcast and any.
inline bool check_sums(Comm& comm) {
  const std::vector<std::int64_t> sizes{1, 2, 3, 1000, 300'007};
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
  const unsigned flags = comm.any(1u << comm.rank());
  comm.barrier();
  return right && root == numbers(comm.size() - 1, 5000) && flags == (1u << comm.size()) - 1;
}

}  // namespace ipa
