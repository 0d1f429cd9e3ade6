// What our files on top of oneDNN share: the only header of ours that includes it, for kernels/*_onednn.cpp alone.
#pragma once

#include <dnnl.hpp>
#include <span>
#include <utility>
#include <vector>

namespace ipa {

const dnnl::engine& onednn_engine();  // the CPU, one for the process

// Primitives that run in order on memory given at run time: the operands of the kernel by number, and temporaries at
// fixed places of a workspace. Everything is built beforehand, so that a run creates no oneDNN object.
class OnednnSequence {
 public:
  using Desc = dnnl::memory::desc;

  int operand(const Desc& desc, int index);  // a slot that stands for operands[index]
  int temporary(const Desc& desc);           // a slot in the workspace
  int as(const Desc& desc, int slot);        // the slot reordered to `desc` (itself where equal)
  void add_reorder(int from, int to);        // nothing where both have one layout
  void add(const dnnl::primitive& primitive, const Desc& scratchpad, std::vector<std::pair<int, int>> arguments);

  bool same_layout(int a, const Desc& desc) const { return slots_[static_cast<std::size_t>(a)].desc == desc; }
  std::size_t workspace_bytes() const { return workspace_bytes_; }
  void run(std::span<void* const> operands, void* workspace);  // not by two threads at once

  static dnnl::primitive_attr attributes();  // with the scratchpad in our workspace

 private:
  struct Slot {
    Desc desc;
    dnnl::memory memory;
    int operand = -1;        // or
    std::size_t offset = 0;  // in the workspace
  };
  struct Step {
    dnnl::primitive primitive;
    std::vector<dnnl_exec_arg_t> arguments;
  };
  int add_slot(Slot slot);

  std::vector<Slot> slots_;
  std::vector<Step> steps_;
  std::size_t workspace_bytes_ = 0;
};

}  // namespace ipa
