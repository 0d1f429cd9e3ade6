// The memory plan: which nodes run, and where in one arena every value lies. A pure function of the graph.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace ipa {

struct PlanOptions {
  Device device;
  bool share = true;  // let values whose lives do not overlap share memory; off: each its own (for comparison)
  std::size_t guard_bytes =
      0;  // unused bytes around every storage; tests fill them with a pattern and check them after a run
};

struct Plan {
  struct Storage {
    std::string name;
    std::size_t bytes = 0, offset = 0;
    int first = 0, last = 0;  // steps between which it must keep its content
    bool workspace = false;
  };
  struct View {
    int whole = -1;  // id of the value among whose channels this one lies, from `first` on; -1: of none
    std::int64_t first = 0;
  };
  struct Step {
    int node;
    Launch launch;
    int workspace = -1;  // storage
  };

  Device device;
  std::vector<Step> steps;  // nodes that an output or a state depends on, in the graph's order; those that only say
                            // which values lie in one memory (Op::first_channel) are none
  std::vector<Storage> storages;
  std::vector<int> storage_of;     // by value id; -1: a state, or a result nothing needs; of a view, its whole's
  std::vector<View> views;         // by value id
  std::vector<Value> inputs;       // of the graph
  std::size_t arena_bytes = 0;     // what the program allocates
  std::size_t unshared_bytes = 0;  // what it would be without sharing
  int in_place = 0;                // values that took over another's memory
};

// By node: whether an output, a mutation or a store depends on it.
std::vector<bool> live_nodes(const Graph& graph, Values outputs);

// `outputs` keep their content until the next run. Nodes that mutate or store to a state always run.
Plan plan(const Graph& graph, Values outputs, const PlanOptions& options = {});

std::string memory_table(const Plan& plan,
                         std::size_t most = 12);  // totals and the largest storages at the fullest step

}  // namespace ipa
