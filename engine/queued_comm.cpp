#include "engine/queued_comm.h"

#include <poll.h>

namespace ipa {

void QueuedComm::begin() {
  thread_ = std::thread([this] { run(); });
}

void QueuedComm::end() noexcept {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  interrupt();
  thread_.join();
}

void QueuedComm::start_all_reduce(Stream& after, Tensor values) {
  require(after.device().is_cpu() && values.packed() && values.dtype == DType::f32,
          "all_reduce: a packed f32 tensor of the host");
  start({values, -1});
}

void QueuedComm::broadcast(Tensor values, int root) {
  require(values.device.is_cpu() && values.packed(), "broadcast: a packed tensor of the host");
  start({values, root});
  wait();
}

unsigned QueuedComm::any(unsigned flags) {
  wait();
  return group_.any(flags);
}

void QueuedComm::start(Job job) {
  group_.advance();
  std::lock_guard lock(mutex_);
  jobs_.push_back(job);
  changed_.notify_all();
}

void QueuedComm::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return jobs_.empty() || !error_.empty(); });
  if (!error_.empty()) fail(ErrorKind::device, error_, {}, after_a_loss);
}

void QueuedComm::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return !jobs_.empty() || ending_; });
    if (ending_) return;
    const Job job = jobs_.front();
    lock.unlock();
    const bool done = job.root < 0 ? sum(job.values) : send_around(job.values, job.root);
    lock.lock();
    if (!done) {
      if (ending_) return;
      lock.unlock();
      const std::string why = explain();
      lock.lock();
      error_ = why;
    }
    jobs_.pop_front();
    changed_.notify_all();
    if (!done) return;
  }
}

bool QueuedComm::sum(const Tensor& values) {
  const Range mine = share_of(values.elements(), rank(), size());
  room_.resize(static_cast<std::size_t>(mine.count) * static_cast<std::size_t>(size()));
  if (!gather_shares(values, room_.data())) return false;
  std::vector<float*> parts;
  for (int r = 0; r < size(); ++r)
    parts.push_back(r == rank() ? values.f32() + mine.first : room_.data() + r * mine.count);
  sum_in_rank_order(values.f32() + mine.first, parts, mine.count);
  return hand_out_shares(values);
}

// The group mostly knows by name who was lost, a moment later.
std::string QueuedComm::explain() {
  pollfd p{group_.failure_fd(), POLLIN, 0};
  ::poll(&p, 1, 3000);
  if (group_.failure().empty()) group_.report_failure("its connection to " + broken_peer() + " broke");
  return group_.failure();
}

}  // namespace ipa
