#include "kernels/onednn.h"

#include <fmt/core.h>

#include "engine/error.h"

namespace ipa {
namespace {

dnnl_stream_t onednn_stream() {
  static const dnnl::stream stream(onednn_engine());
  return stream.get();
}

}  // namespace

const dnnl::engine& onednn_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::primitive_attr OnednnSequence::attributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

int OnednnSequence::add_slot(Slot slot) {
  slot.memory = dnnl::memory(slot.desc, onednn_engine(), DNNL_MEMORY_NONE);
  slots_.push_back(std::move(slot));
  return static_cast<int>(slots_.size()) - 1;
}

int OnednnSequence::operand(const Desc& desc, int index) { return add_slot({.desc = desc, .operand = index}); }

int OnednnSequence::temporary(const Desc& desc) {
  const std::size_t offset = workspace_bytes_;
  workspace_bytes_ += (desc.get_size() + 63) / 64 * 64;
  return add_slot({.desc = desc, .offset = offset});
}

int OnednnSequence::as(const Desc& desc, int slot) {
  if (same_layout(slot, desc)) return slot;
  const int copy = temporary(desc);
  add_reorder(slot, copy);
  return copy;
}

void OnednnSequence::add_reorder(int from, int to) {
  const Desc &source = slots_[static_cast<std::size_t>(from)].desc, &target = slots_[static_cast<std::size_t>(to)].desc;
  if (from == to) return;
  const dnnl::reorder::primitive_desc reorder(onednn_engine(), source, onednn_engine(), target, attributes());
  add(dnnl::reorder(reorder), reorder.scratchpad_desc(), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
}

void OnednnSequence::add(const dnnl::primitive& primitive, const Desc& scratchpad,
                         std::vector<std::pair<int, int>> arguments) {
  if (scratchpad.get_size()) arguments.emplace_back(DNNL_ARG_SCRATCHPAD, temporary(scratchpad));
  Step step{primitive, {}};
  for (const auto& [argument, slot] : arguments)
    step.arguments.push_back({argument, slots_[static_cast<std::size_t>(slot)].memory.get()});
  steps_.push_back(std::move(step));
}

void OnednnSequence::run(std::span<void* const> operands, void* workspace) {
  for (Slot& s : slots_) {
    void* const place =
        s.operand >= 0 ? operands[static_cast<std::size_t>(s.operand)] : static_cast<std::byte*>(workspace) + s.offset;
    if (s.memory.get_data_handle() != place) s.memory.set_data_handle(place);  // in a program only the first time
  }
  for (const Step& step : steps_) {
    const dnnl_status_t status = dnnl_primitive_execute(step.primitive.get(), onednn_stream(),
                                                        static_cast<int>(step.arguments.size()), step.arguments.data());
    if (status != dnnl_success)
      fail(ErrorKind::internal, fmt::format("oneDNN: a primitive failed with status {}", static_cast<int>(status)));
  }
}

}  // namespace ipa
