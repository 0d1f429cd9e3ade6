// Which of cuDNN's plans runs a convolution on this GPU: those the heuristics offer are checked against the direct
// convolution and timed; the winner is kept in the cache folder (kernels/plan_cache.h).
#pragma once

#include <memory>
#include <string>

#include "engine/stream.h"
#include "kernels/conv_problem.h"
#include "kernels/cudnn_graph.h"

namespace ipa::cuda {

// This thread's handle for the stream's device, on that stream.
cudnnHandle_t cudnn_handle(const Stream& stream);

// Slow if the plan is new; plans in use are shared. None: `why_none` says what was wrong with each candidate.
std::shared_ptr<const CudnnPlan> find_conv_plan(Stream& stream, const ConvProblem& problem, std::string& why_none);

// Enqueues a plan of the problem.
void run_conv_plan(const Stream& stream, const CudnnPlan& plan, const ConvProblem& problem,
                   const ConvPointers& operands, void* workspace);

}  // namespace ipa::cuda
