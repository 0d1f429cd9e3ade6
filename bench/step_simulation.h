// How long a training step over many ranks takes, reckoned from the times of its parts.
#pragma once

#include <functional>
#include <span>

namespace ipa::bench {

// A rank's step in the order in which it is enqueued.
struct StepEvent {
  enum class Kind {
    compute,  // `amount` seconds on the device
    start,    // an all-reduce of `amount` bytes sets out: it waits for its turn on the one queue of all-reduces
    finish,   // what follows waits for all that set out
  };
  Kind kind;
  double amount = 0;
};

struct SimulatedStep {
  double seconds = 0;        // the whole
  double compute = 0;        // its computation alone
  double communication = 0;  // its all-reduces alone, one after another
  double exposed() const { return seconds - compute; }
};

// All ranks are equal and begin together, so that one of them tells the time of all; all-reduces run one by one, in
// their order, beside the computation, and neither slows the other down.
SimulatedStep simulate(std::span<const StepEvent> events, const std::function<double(double bytes)>& all_reduce);

}  // namespace ipa::bench
