// Rewrites of a finished graph: the same results in fewer passes over memory. They come after grad() and before plan():
//   graph.replace(rewrite(graph, outputs, device).lists);
// Values keep their ids, so that outputs, stores and bindings hold on; only what lay between two nodes that became one
// is gone. docs/fusion.md says what each is worth.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace ipa {

struct Rewrites {
  bool kept_outputs = false;     // nothing is computed a second time for the backward pass: more memory, fewer passes
  bool dgrad_addition = false;   // the sum of two gradients in the kernel of the convolution that makes one of them
  bool conv_statistics = false;  // the sums of batch norm's statistics in the kernel of the convolution before it
  bool concat_in_place = false;  // concatenations and slices that are channels of other values' memory, not copies

  static Rewrites all() { return {true, true, true, true}; }
  // Those known to pay. Not on CUDA what takes cuDNN's fused plans: whether they are faster than its plain ones and a
  // pass of ours, only a GPU can tell (docs/fusion.md). Not on the CPU what takes memory.
  static Rewrites that_pay(Device device) {
    return {.kept_outputs = !device.is_cpu(), .dgrad_addition = device.is_cpu(), .concat_in_place = true};
  }
};

struct Rewritten {
  struct Change {
    std::string name;
    int places;                        // where it applied
    int nodes_before, nodes_after;     // of the whole graph, without those that nothing depends on
    double bytes_before, bytes_after;  // the sum of cost_on over them
  };
  Graph::Lists lists;
  std::vector<Change> changes;  // of each rewrite that was asked for, in the order in which they are done
};

// A pure function of its arguments. `outputs` and what is stored stay; nodes that nothing depends on are left out.
Rewritten rewrite(const Graph& graph, Values outputs, Device device, const Rewrites& which);

std::string to_string(const std::vector<Rewritten::Change>& changes);  // a table

// The rewrites one by one, on the list of live nodes. `kept`, by value id: what must stay. Each returns in how many
// places it applied.
namespace rewrites {

// What grad() had computed again (Op::recompute) is read where it was made first.
int kept_outputs(Graph::Lists& lists, const std::vector<bool>& kept, Device device);

// dx = add(other, conv dgrad(dy, w)) becomes one node where the sum alone reads the data gradient. The node stands in
// the place of the addition.
int dgrad_addition(Graph::Lists& lists, const std::vector<bool>& kept, Device device);

// A batch norm of a convolution's output becomes two nodes: its statistics, of sums that the convolution leaves, and
// the map, which reads the output once. The tail of a block or unit takes such sums of its shortcut and of a branch
// that is one tensor. Each norm that does is a place.
int conv_statistics(Graph::Lists& lists, const std::vector<bool>& kept, Device device);

// A concatenation whose parts are written where the whole has them, and a slice that is read where it lies in what it
// is of, become nodes that move nothing (Op::first_channel): where those that write or read the parts take any pixel
// pitch.
int concat_in_place(Graph::Lists& lists, const std::vector<bool>& kept, Device device);

}  // namespace rewrites
}  // namespace ipa
