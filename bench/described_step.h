// A training step as its graph and plan describe it, without memory or a device: what runs in which order, what each
// launch must move and compute, and where gradients set out to be summed over ranks.
#pragma once

#include <string>
#include <vector>

#include "bench/step_simulation.h"
#include "nets/step_graph.h"

namespace ipa::bench {

struct DescribedStep {
  struct Part {
    std::string op;
    StepEvent::Kind kind;
    Cost cost;         // compute
    double bytes = 0;  // start: of the bucket
  };
  std::int64_t batch = 0;
  std::vector<Part> parts;
  double arena_gib = 0;

  std::vector<double> buckets() const;  // bytes, in the order in which they set out
};

// The kinds of the launches of a plan, for a step that was made over ranks.
std::vector<DescribedStep::Part> parts_of(const Graph& graph, const Plan& plan);

// Of one rank of several, or of one that is alone, at options.batch slices.
DescribedStep describe_step(const StepOptions& options, Device device, bool over_ranks);

}  // namespace ipa::bench
