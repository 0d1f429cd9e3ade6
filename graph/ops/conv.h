// What a node of a graph computes if it is a convolution: for tables and tests over a network's convolutions.
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
};
std::optional<ConvDescription> describe_conv(const Graph& graph, const Graph::Node& node);

}  // namespace ipa
