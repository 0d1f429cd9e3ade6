// What a node of a graph computes if it is a convolution, for tables and tests over a network's convolutions, and what
// else its kernel can do, for rewrites.
#pragma once

#include <optional>

#include "graph/graph.h"
#include "kernels/conv.h"

namespace ipa {

struct ConvDescription {
  ConvPass pass = ConvPass::forward;
  ConvGeometry geometry;
  bool bias = false;
  Activation activation;
  bool statistics = false, add = false;
};
std::optional<ConvDescription> describe_conv(const Graph& graph, const Graph::Node& node);

// For rewrites: what adds a third input to the data gradient `op` of inputs `in`, in the convolution's kernel. None: it
// is no data gradient, or on this device no kernel of its shape takes an addition.
OpPtr with_addition(const Op& op, Device device, Specs in);

// The convolution `op` with a second output, the sums of the first and of its squares (kernels/channel_sums.h). None:
// it is no convolution, or has a bias or an activation.
OpPtr with_statistics(const Op& op, Specs in);

}  // namespace ipa
