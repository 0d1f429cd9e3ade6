#include "bench/step_simulation.h"

#include <algorithm>

namespace ipa::bench {

SimulatedStep simulate(std::span<const StepEvent> events, const std::function<double(double bytes)>& all_reduce) {
  SimulatedStep step;
  double now = 0, queue_free = 0;
  for (const StepEvent& event : events) {
    if (event.kind == StepEvent::Kind::compute) {
      now += event.amount;
      step.compute += event.amount;
    } else if (event.kind == StepEvent::Kind::start) {
      const double seconds = all_reduce(event.amount);
      queue_free = std::max(queue_free, now) + seconds;
      step.communication += seconds;
    } else {
      now = std::max(now, queue_free);
    }
  }
  step.seconds = std::max(now, queue_free);
  return step;
}

}  // namespace ipa::bench
