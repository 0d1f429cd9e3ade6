// A convolution problem as cuDNN's operation graph, and which engines may run it.
#pragma once

#include "kernels/conv_problem.h"
#include "kernels/cudnn_graph.h"

namespace ipa::cuda {

constexpr std::int64_t conv_id(ConvOperand o) { return static_cast<std::int64_t>(o) + 1; }  // its id in the graph

OperationGraph conv_graph(const ConvProblem& problem);

// Why an engine may not run it: sums in no fixed order, or less than f32 arithmetic on f32. Empty if it may.
std::string refusal(const EngineConfig& engine, DType dtype);

}  // namespace ipa::cuda
