#include "engine/thread_comm.h"

#include <fmt/core.h>

#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>

#include "engine/rank_sum.h"

namespace ipa {
namespace {

// What the ranks share: a barrier that a leaving rank breaks, and what each has on offer between two barriers.
struct Shared {
  explicit Shared(int ranks) : offered(static_cast<std::size_t>(ranks)), flags(static_cast<std::size_t>(ranks)) {}
  int size() const { return static_cast<int>(offered.size()); }

  void wait() {
    std::unique_lock lock(mutex);
    const long turn = turns;
    if (++waiting == size()) {
      waiting = 0;
      ++turns;
      all_here.notify_all();
      return;
    }
    all_here.wait(lock, [&] { return turns != turn || left >= 0; });
    if (turns == turn)
      fail(ErrorKind::device, fmt::format("rank {} of {} was lost", left, size()), {},
           "the first error of the ranks tells why");
  }
  void leave(int rank) {
    std::lock_guard lock(mutex);
    if (left < 0) left = rank;
    all_here.notify_all();
  }

  std::mutex mutex;
  std::condition_variable all_here;
  int waiting = 0, left = -1;
  long turns = 0;
  std::vector<std::vector<Tensor>> offered;
  std::vector<unsigned> flags;
};

class ThreadComm final : public Comm {
 public:
  ThreadComm(std::shared_ptr<Shared> shared, int rank) : shared_(std::move(shared)), rank_(rank) {}
  ~ThreadComm() override { shared_->leave(rank_); }

  int rank() const override { return rank_; }
  int size() const override { return shared_->size(); }

  void start_all_reduce(Stream&, Tensor values) override {
    require(values.packed() && values.dtype == DType::f32, "all_reduce: a packed f32 tensor");
    mine().push_back(values);
  }

  void finish(Stream&) override {
    shared_->wait();
    std::vector<float*> parts(shared_->offered.size());
    for (std::size_t i = 0; i < mine().size(); ++i) {
      const Range range = share_of(mine()[i].elements(), rank_, size());
      for (std::size_t r = 0; r < parts.size(); ++r) {
        const std::vector<Tensor>& theirs = shared_->offered[r];
        require(theirs.size() == mine().size() && theirs[i].spec() == mine()[i].spec(),
                "all_reduce: the ranks started different tensors");
        parts[r] = theirs[i].f32() + range.first;
      }
      sum_in_rank_order(parts[0], parts, range.count);
      for (std::size_t r = 1; r < parts.size(); ++r)
        std::memcpy(parts[r], parts[0], static_cast<std::size_t>(range.count) * sizeof(float));
    }
    shared_->wait();  // before that others still read the list
    mine().clear();
  }

  void broadcast(Tensor values, int root) override {
    require(values.packed(), "broadcast: a packed tensor");
    mine() = {values};
    shared_->wait();
    const Tensor from = shared_->offered.at(static_cast<std::size_t>(root)).at(0);
    require(from.spec() == values.spec(), "broadcast: the ranks' tensors differ");
    if (rank_ != root) std::memcpy(values.data, from.data, values.spec().bytes());
    shared_->wait();
    mine().clear();
  }

  unsigned any(unsigned flags) override {
    shared_->flags[static_cast<std::size_t>(rank_)] = flags;
    shared_->wait();
    for (const unsigned f : shared_->flags) flags |= f;
    shared_->wait();
    return flags;
  }

 private:
  std::vector<Tensor>& mine() { return shared_->offered[static_cast<std::size_t>(rank_)]; }

  std::shared_ptr<Shared> shared_;
  int rank_;
};

}  // namespace

std::vector<std::unique_ptr<Comm>> thread_comms(int ranks) {
  require(ranks > 0, "thread_comms: at least one rank");
  const auto shared = std::make_shared<Shared>(ranks);
  std::vector<std::unique_ptr<Comm>> all;
  for (int r = 0; r < ranks; ++r) all.push_back(std::make_unique<ThreadComm>(shared, r));
  return all;
}

void on_thread_ranks(int ranks, const std::function<void(Comm&)>& f) {
  std::vector<std::unique_ptr<Comm>> comms = thread_comms(ranks);
  std::vector<std::exception_ptr> errors(comms.size());
  std::vector<std::thread> threads;
  for (std::size_t r = 0; r < comms.size(); ++r)
    threads.emplace_back([&, r, comm = std::move(comms[r])]() mutable {
      try {
        f(*comm);
      } catch (...) {
        errors[r] = std::current_exception();
      }
      comm.reset();
    });
  for (std::thread& t : threads) t.join();
  for (const std::exception_ptr& e : errors)
    if (e) std::rethrow_exception(e);
}

}  // namespace ipa
