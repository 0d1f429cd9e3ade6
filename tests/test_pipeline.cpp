// Items pass the stages in order and at the same time, no more than may be, and an error anywhere ends all.
#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <semaphore>
#include <stdexcept>
#include <thread>

#include "engine/pipeline.h"

using namespace ipa;

TEST_CASE("pipeline: every stage sees every item in order, after the stage before", "[pipeline]") {
  std::mutex mutex;
  std::vector<std::vector<std::uint64_t>> seen(3);
  bool in_order = true;
  std::vector<Stage> stages;
  for (std::size_t s = 0; s < 3; ++s)
    stages.emplace_back([&, s](std::uint64_t item) {
      const std::scoped_lock lock(mutex);
      seen[s].push_back(item);
      if (s > 0) in_order = in_order && seen[s - 1].size() > item;
      if (s == 0) in_order = in_order && item < seen[2].size() + 2;
    });
  run_pipeline(20, 2, stages, 1);
  for (const auto& items : seen) {
    REQUIRE(items.size() == 20);
    for (std::uint64_t i = 0; i < 20; ++i) CHECK(items[i] == i);
  }
  CHECK(in_order);
  run_pipeline(0, 1, stages, 0);
  CHECK(seen[0].size() == 20);
}

TEST_CASE("pipeline: stages work at the same time, the chosen one in the caller's thread", "[pipeline]") {
  // Each of two stages waits for the other to be in its next item: one after the other they would never end.
  std::binary_semaphore read(0), computed(0);
  std::thread::id where;
  const std::vector<Stage> stages{[&](std::uint64_t item) {
                                    if (item != 1) return;
                                    read.release();
                                    computed.acquire();
                                  },
                                  [&](std::uint64_t item) {
                                    where = std::this_thread::get_id();
                                    if (item != 0) return;
                                    read.acquire();
                                    computed.release();
                                  }};
  run_pipeline(3, 2, stages, 1);
  CHECK(where == std::this_thread::get_id());
}

TEST_CASE("pipeline: the first error of any stage ends it and is thrown on", "[pipeline]") {
  for (std::size_t failing = 0; failing < 3; ++failing) {
    std::atomic<int> calls = 0;
    std::vector<Stage> stages;
    for (std::size_t s = 0; s < 3; ++s)
      stages.emplace_back([&, s](std::uint64_t item) {
        ++calls;
        if (s == failing && item == 5) throw std::runtime_error("item 5");
      });
    CHECK_THROWS_AS(run_pipeline(1000, 3, stages, 1), std::runtime_error);
    CHECK(calls < 3 * 12);
  }
}
