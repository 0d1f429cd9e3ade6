// What the nodes of a graph must move and compute at least, on a device: the model that measurements are held against.
#pragma once

#include "graph/graph.h"

namespace ipa {

// Bytes as tensors lie in `device`'s memory (bytes_on of engine/tensor.h: on CUDA channels and filters are padded to
// multiples of 8, and their zeros are moved too); FLOPs those of the network, without what padding adds.
Cost cost_on(Device device, const Op& op, Specs in, Specs out);
Cost cost_on(Device device, const Graph& graph, const Graph::Node& node);

}  // namespace ipa
