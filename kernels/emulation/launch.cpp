#include "kernels/emulation/launch.h"

#include <fmt/core.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>

#include "engine/error.h"
#include "kernels/emulation/block.h"
#include "kernels/emulation/controls.h"

namespace ipa::emulation {
namespace {

void check(const Launch& launch) {
  const auto require_launch = [](bool possible, const std::string& what) {
    if (!possible) fail(ErrorKind::internal, "impossible kernel launch", what);
  };
  const auto& [grid, block, shared_bytes, call, arguments] = launch;
  const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
  require_launch(threads >= 1 && threads <= 1024, fmt::format("{} threads in a block, 1 to 1024 can be", threads));
  require_launch(block.z <= 64, fmt::format("a block {} threads deep, the most is 64", block.z));
  require_launch(grid.x >= 1 && grid.y >= 1 && grid.z >= 1, "an empty grid");
  require_launch(
      grid.x < 1u << 31 && grid.y < 1u << 16 && grid.z < 1u << 16,
      fmt::format("a grid of {} x {} x {} blocks, the most is 2^31-1 x 65535 x 65535", grid.x, grid.y, grid.z));
  require_launch(shared_bytes <= most_shared_bytes,
                 fmt::format("{} bytes of shared memory, the most is {}", shared_bytes, most_shared_bytes));
}

}  // namespace

void run(const Launch& launch) {
  check(launch);
  const dim3 grid = launch.grid;
  const auto blocks = static_cast<std::int64_t>(grid.x) * grid.y * grid.z;
  const std::uint64_t seed = schedule();
  std::atomic<bool> failed = false;
  std::exception_ptr error;
  std::mutex mutex;
#pragma omp parallel for schedule(dynamic) if (blocks > 1)
  for (std::int64_t i = 0; i < blocks; ++i) {
    if (failed) continue;
    try {
      thread_local Block block;
      const auto plane = static_cast<std::int64_t>(grid.x) * grid.y;
      const uint3 index{static_cast<unsigned>(i % grid.x), static_cast<unsigned>(i / grid.x % grid.y),
                        static_cast<unsigned>(i / plane)};
      block.run(launch, index, seed == 0 ? 0 : (seed << 32) + static_cast<std::uint64_t>(i) + 1);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failed.exchange(true)) error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace ipa::emulation
