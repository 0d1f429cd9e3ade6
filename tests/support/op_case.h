// One case per op: from it come the comparison with a naive double-precision reference, the finite-difference check of
// its gradients, the check of a guarded and poisoned arena, bit equality over repeats and thread counts, and the
// benchmark line.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "tests/support/array.h"

namespace ipa::test {

struct CaseInput {
  Shape shape;
  double low = -1, high = 1;  // filled uniformly
  bool gradient = true;       // check d/d(this input)
  bool state = false;         // bound as a state; the reference returns its content after the run, behind the outputs
  std::function<double(double)> map = {};  // applied to the uniform numbers: masks, ties
  bool exact = false;                      // stays fp32 where activations are bf16: vectors, scalars, states
  bool filter = false;                     // weights of a convolution

  TensorSpec spec(DType activations) const { return {shape, exact || state ? DType::f32 : activations, filter}; }
};

struct OpCase {
  std::string name;  // "stem: variant"
  std::vector<CaseInput> inputs;
  // Appends the op; returns its outputs.
  std::function<std::vector<Value>(Graph&, const std::vector<Value>&)> build;
  // The same, naively, in double: the outputs, then the final content of each state.
  std::function<std::vector<Array>(const std::vector<Array>&)> reference = {};
  double tolerance = 2e-6;           // relative norm of every output
  double gradient_tolerance = 2e-4;  // of sampled derivatives, relative to the largest
  bool any_threads_same_bits = true;
  double bf16_tolerance = 2e-2;  // of outputs and gradients where activations are bf16
  bool bench_only = false;       // real size: for bench_ops alone, which times it and measures its error
};

// Static objects of this type in cases/<stem>.cpp register themselves.
struct Register {
  Register(std::vector<OpCase> cases);
};
const std::vector<OpCase>& all_cases();

}  // namespace ipa::test
