// A convolution problem as cuDNN's operation graph, and which engines may run it.
#pragma once

#include "kernels/conv_cudnn.h"
#include "kernels/cudnn_graph.h"

namespace ipa::cuda {

struct ConvGraph {
  OperationGraph graph;
  std::vector<ConvOperand> operands;  // the tensors in memory; an operand's id in the graph is its number
};

ConvGraph conv_graph(const ConvProblem& problem);

// Shape, type and pitch of an operand as it lies in memory, padding included.
struct ConvLayout {
  TensorSpec spec;
  std::int64_t pitch = 0;
  std::size_t bytes() const { return static_cast<std::size_t>(spec.shape.pixels() * pitch) * size_of(spec.dtype); }
};
ConvLayout conv_layout(const ConvProblem& problem, ConvOperand operand);

std::string to_string(const ConvProblem& problem);  // "forward 3x3 s1 p1 17->26 @256x256 n8 bf16 +bias +relu"

// Why an engine may not run it: sums in no fixed order, or less than f32 arithmetic on f32. Empty if it may.
std::string refusal(const EngineConfig& engine, DType dtype);

}  // namespace ipa::cuda
