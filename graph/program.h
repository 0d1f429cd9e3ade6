// A plan bound to memory: running it only enqueues prepared launches. On CUDA the first run enqueues them one by one (a
// warm-up, in which libraries set themselves up), and from the second on all of them are replayed as one CUDA graph.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "engine/buffer.h"
#include "engine/recording.h"
#include "engine/time_marks.h"
#include "graph/plan.h"

namespace ipa {

class Program {
 public:
  // The memory of every state that the plan uses, by value id.
  using Bindings = std::unordered_map<int, Tensor>;

  // Works in `shared`, an arena that outlives this, if it is large enough, else in one of its own. Programs that share
  // an arena destroy each other's values: fill inputs right before a run, and copy what is needed of its outputs before
  // another program runs.
  Program(const Graph& graph, Plan plan, const Bindings& states, const Buffer* shared = nullptr);

  void run(Stream& stream);

  // Runs once; milliseconds of each of plan().steps. On CUDA one recording is replayed with a clock event between all
  // of its steps (the very first run is not profiled: in it libraries set themselves up).
  std::vector<double> profile(Stream& stream);

  // Enqueues step `s` of the plan alone, on what its operands hold: to be timed, after a first run.
  void enqueue_step(Stream& stream, std::size_t s) { plan_.steps[s].launch.run(call(stream, bound_[s])); }

  Tensor tensor(Value v) const;  // memory of an input (to fill), an output (to read), or a state
  const Plan& plan() const { return plan_; }
  const Buffer& arena() const { return shared_ ? *shared_ : own_; }

 private:
  struct Bound {
    std::size_t first_out, outs, first_in, ins;  // ranges of tensors_
    void* workspace;
  };
  Call call(Stream& stream, const Bound& b) const;
  void make_ready(Stream& stream);
  void enqueue(Stream& stream);

  Plan plan_;
  const Buffer* shared_;
  Buffer own_;
  std::vector<Tensor> by_value_, tensors_;
  std::vector<Bound> bound_;
  bool ready_ = false;
  std::int64_t runs_ = 0;
  std::optional<Recording> recording_, profiled_;
  std::optional<TimeMarks> marks_;  // of the profile, before each step and after the last
};

}  // namespace ipa
