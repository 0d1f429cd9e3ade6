// Builds a case's graph with the gradients of a random weighting of its outputs and runs it in a guarded, poisoned
// arena.
#pragma once

#include <optional>
#include <vector>

#include "graph/rewrite.h"
#include "tests/support/op_case.h"

namespace ipa::test {

struct CaseResult {
  std::vector<Array> outputs;        // then the final content of each state
  std::vector<Array> gradients;      // by input; empty where none was asked for
  bool recomputed_same_bits = true;  // every output of an op that can be recomputed, computed again
  bool guards_intact = true;
  bool padding_zero = true;  // of every output and gradient
  int rewritten = 0;         // places
};

// Rounded to what `activations` can hold.
std::vector<Array> case_inputs(const OpCase& c, unsigned seed, DType activations = DType::f32);
std::vector<Array> output_weights(const OpCase& c, unsigned seed);  // the loss is sum_k <weights_k, output_k>

struct RunOptions {
  bool share = true;  // memory, by the plan
  Device device = {};
  DType activations = DType::f32;
  int runs = 1;                           // the result is the last one's; on CUDA the third replays a recording
  std::optional<Rewrites> rewrites = {};  // of the whole graph, in which then nothing is recomputed to be compared
};
CaseResult run_case(const OpCase& c, const std::vector<Array>& inputs, bool gradients, unsigned seed,
                    const RunOptions& options = {});

}  // namespace ipa::test
