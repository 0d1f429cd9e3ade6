// Makes batches ahead of their use on a thread of its own.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "apps/sampling.h"

namespace ipa {

struct Batch {
  std::int64_t step = 0;
  std::vector<std::int64_t> slices;
  std::vector<float> target, corrupted, mask;  // (N, S, S, 1) each
};

class BatchLoader {
 public:
  // Starts with the batch of `first_step`; the sampler must outlive this.
  BatchLoader(const Sampler& sampler, std::int64_t pixels, std::int64_t first_step, std::size_t ahead = 2);
  ~BatchLoader();

  Batch next();                // in the order of steps; waits; rethrows what making it threw
  void recycle(Batch&& used);  // gives the memory back

 private:
  void work(std::int64_t step);

  const Sampler& sampler_;
  std::size_t pixels_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> ready_, spare_;
  std::exception_ptr failure_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace ipa
