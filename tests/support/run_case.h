// Builds a case's graph with the gradients of a random weighting of its outputs and runs it in a guarded, poisoned
// arena.
#pragma once

#include <vector>

#include "tests/support/op_case.h"

namespace ipa::test {

struct CaseResult {
  std::vector<Array> outputs;    // then the final content of each state
  std::vector<Array> gradients;  // by input; empty where none was asked for
  bool guards_intact = true;
};

std::vector<Array> case_inputs(const OpCase& c, unsigned seed);
std::vector<Array> output_weights(const OpCase& c, unsigned seed);  // the loss is sum_k <weights_k, output_k>
CaseResult run_case(const OpCase& c, const std::vector<Array>& inputs, bool gradients, unsigned seed,
                    bool share = true);

}  // namespace ipa::test
