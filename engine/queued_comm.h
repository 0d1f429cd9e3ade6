// The host's Comms: collectives wait in a queue for a thread of their own, which runs them one by one beside the step.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/comm.h"
#include "engine/rank_sum.h"
#include "engine/rendezvous.h"

namespace ipa {

class QueuedComm : public Comm {
 public:
  int rank() const override { return group_.rank(); }
  int size() const override { return group_.size(); }
  void start_all_reduce(Stream& after, Tensor values) override;
  void finish(Stream&) override { wait(); }
  void broadcast(Tensor values, int root) override;
  unsigned any(unsigned flags) override;
  void alive() override { group_.advance(); }
  void rest() override { group_.rest(); }
  void check() override { group_.check(); }

 protected:
  explicit QueuedComm(RankGroup& group) : group_(group) {}
  void begin();  // when the rest of the object is there; end() before any of it goes
  void end() noexcept;

  // On the queue's thread. False: the transfer broke, or the group or interrupt() ended it.
  virtual bool gather_shares(const Tensor& values, float* room) = 0;  // everybody's share_of(rank()), in rank order,
                                                                      // to room but for our own
  virtual bool hand_out_shares(const Tensor& values) = 0;             // our share_of `values` to all, theirs to us
  virtual bool send_around(const Tensor& values, int root) = 0;
  virtual std::string broken_peer() const { return "another rank"; }  // after one of the above broke
  virtual void interrupt() noexcept = 0;                              // makes the above return soon; on another thread

  RankGroup& group_;

 private:
  struct Job {
    Tensor values;
    int root;  // of a broadcast; -1: a sum
  };
  void start(Job job);
  void wait();
  void run();
  bool sum(const Tensor& values);
  std::string explain();

  std::vector<float> room_;
  std::thread thread_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<Job> jobs_;  // the first is under way
  bool ending_ = false;
  std::string error_;
};

}  // namespace ipa
