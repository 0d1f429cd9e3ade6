// Where the time of a program must go, and where it goes: bytes, FLOPs and the least time that they allow, summed by
// part of the work and by kind of op. All of it is computed from the graph (Op::cost, scopes), so that it can be told
// without running anything.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/roof.h"
#include "graph/plan.h"

namespace ipa::bench {

struct Row {
  std::string name;
  int launches = 0;  // steps of the plan; one may be several kernels
  Cost cost = {};
  double least_seconds = 0;            // the sum of each step's
  double least_by_bytes = 0;           // the part of it in which bytes take longer than FLOPs
  std::optional<double> seconds = {};  // where measured

  double intensity() const { return cost.flops / cost.bytes; }  // FLOPs for each byte
};

struct StepTable {
  Row all;
  std::vector<Row> parts;  // in the order of the work
  std::vector<Row> kinds;  // the longest first
};

// `seconds` of each of plan.steps, if measured. `shapes`: a kind is an op with its shapes.
StepTable tabulate(const Graph& graph, const Plan& plan, const Roof& roof, const std::vector<double>* seconds,
                   bool shapes = false);

// What a scope says of the work: "generator update: backward vgg19" (nets/step_graph.h).
std::string part_of(const std::string& scope);

std::string to_text(const StepTable& table);
std::string shapes_of(const Graph& graph, const Graph::Node& node);  // " (8, 256, 256, 1) ... to (8, 256, 256, 8)"

}  // namespace ipa::bench
