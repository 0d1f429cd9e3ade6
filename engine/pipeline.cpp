#include "engine/pipeline.h"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "engine/error.h"

namespace ipa {
namespace {

class Pipeline {
 public:
  Pipeline(std::uint64_t count, std::uint64_t depth, const std::vector<Stage>& stages)
      : count_(count), depth_(depth), stages_(stages), done_(stages.size()) {}

  void work(std::size_t stage) noexcept {
    for (std::uint64_t item = 0; item < count_ && may_begin(stage, item); ++item) {
      std::exception_ptr error;
      try {
        stages_[stage](item);
      } catch (...) {
        error = std::current_exception();
      }
      const std::scoped_lock lock(mutex_);
      ++done_[stage];
      if (error && !error_) error_ = error;
      changed_.notify_all();
    }
  }

  void stop(std::exception_ptr error) {
    const std::scoped_lock lock(mutex_);
    error_ = error;
    changed_.notify_all();
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  bool may_begin(std::size_t stage, std::uint64_t item) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return error_ || (stage > 0 ? done_[stage - 1] > item : item < done_.back() + depth_); });
    return !error_;
  }

  const std::uint64_t count_, depth_;
  const std::vector<Stage>& stages_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::uint64_t> done_;  // items, by stage
  std::exception_ptr error_;
};

}  // namespace

void run_pipeline(std::uint64_t count, std::uint64_t depth, const std::vector<Stage>& stages, std::size_t here) {
  require(depth > 0 && here < stages.size(), "pipeline: nothing may be under way, or no such stage");
  Pipeline pipeline(count, depth, stages);
  {
    std::vector<std::jthread> threads;
    try {
      for (std::size_t s = 0; s < stages.size(); ++s)
        if (s != here) threads.emplace_back([&pipeline, s] { pipeline.work(s); });
    } catch (...) {  // no more threads to be had: those that run must not wait for ever
      pipeline.stop(std::current_exception());
    }
    pipeline.work(here);
  }
  pipeline.rethrow();
}

}  // namespace ipa
