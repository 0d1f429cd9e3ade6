// The ops of the real networks, derived from their graphs as they run, rewritten: every kind with every shape that a
// training step or the generator in inference has, once.
#pragma once

#include "bench/op_timer.h"
#include "graph/ops/conv.h"
#include "nets/step_graph.h"

namespace ipa::bench {

struct NetworkOp {
  std::string name;  // "batch 8: conv s1 p1 (8, 256, 256, 1) (8, 3, 3, 1) to (8, 256, 256, 8)"
  OpPtr op;
  std::vector<std::optional<TensorSpec>> inputs;  // none: absent
  std::optional<ConvDescription> conv = {};       // of a convolution
};

std::vector<NetworkOp> network_ops(const StepOptions& options, Device device);

// Times it on random numbers. With `errors` a convolution's error is taken too: of a sample of its elements, each made
// once more in double from the same numbers (bf16 as they were rounded).
CaseReport measure(const NetworkOp& op, OpTimer& timer, const Roof& roof, bool errors);

}  // namespace ipa::bench
