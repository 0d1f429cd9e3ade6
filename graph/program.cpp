#include "graph/program.h"

namespace ipa {

Program::Program(const Graph& graph, Plan plan, const Bindings& states, const Buffer* shared)
    : plan_(std::move(plan)),
      shared_(shared && shared->device() == plan_.device && shared->bytes() >= plan_.arena_bytes ? shared : nullptr),
      own_(shared_ ? Buffer() : Buffer("arena", plan_.arena_bytes, plan_.device)),
      by_value_(graph.infos().size()) {
  auto state = [&](int id) {
    const Graph::Info& info = graph.infos()[static_cast<std::size_t>(id)];
    const auto found = states.find(id);
    require(found != states.end(), "program: no memory bound to state " + info.name);
    require(found->second.spec() == info.spec, "program: wrong memory bound to state " + info.name);
    return found->second;
  };
  for (std::size_t id = 0; id < by_value_.size(); ++id) {
    const Graph::Info& info = graph.infos()[id];
    if (const int s = plan_.storage_of[id]; s >= 0) {
      const auto [whole, first] = plan_.views[id];
      const TensorSpec& spec = whole < 0 ? info.spec : graph.infos()[static_cast<std::size_t>(whole)].spec;
      by_value_[id] = arena().tensor(spec, plan_.storages[static_cast<std::size_t>(s)].offset);
      if (whole >= 0) by_value_[id] = by_value_[id].channels(first, info.spec.shape.c);
    } else if (info.stored >= 0)
      by_value_[id] = state(info.stored);
    else if (info.kind == Graph::Kind::state && states.contains(static_cast<int>(id)))
      by_value_[id] = state(static_cast<int>(id));
  }
  for (const Plan::Step& step : plan_.steps) {
    const Graph::Node& node = graph.nodes()[static_cast<std::size_t>(step.node)];
    Bound b{tensors_.size(), node.outputs.size(), tensors_.size() + node.outputs.size(), node.inputs.size(), nullptr};
    for (const Value& v : node.outputs) tensors_.push_back(by_value_[static_cast<std::size_t>(v.id)]);
    for (const Value& v : node.inputs) {
      tensors_.push_back(v ? by_value_[static_cast<std::size_t>(v.id)] : Tensor{});
      require(!v || tensors_.back().data,
              "program: no memory bound to state " + (v ? graph.info(v).name : std::string()));
    }
    if (step.workspace >= 0)
      b.workspace =
          static_cast<std::byte*>(arena().data()) + plan_.storages[static_cast<std::size_t>(step.workspace)].offset;
    bound_.push_back(b);
  }
}

Call Program::call(Stream& stream, const Bound& b) const {
  const std::span<const Tensor> all(tensors_);
  return {stream, all.subspan(b.first_out, b.outs), all.subspan(b.first_in, b.ins), b.workspace};
}

void Program::make_ready(Stream& stream) {
  if (ready_) return;
  for (const Plan::Step& step : plan_.steps)
    if (step.launch.ready) step.launch.ready(stream);
  ready_ = true;
}

void Program::enqueue(Stream& stream) {
  for (std::size_t s = 0; s < bound_.size(); ++s) enqueue_step(stream, s);
}

void Program::run(Stream& stream) {
  require(stream.device() == plan_.device, "program: a stream of another device than the plan's");
  make_ready(stream);
  if (plan_.device.is_cpu() || runs_++ == 0) return enqueue(stream);
  if (!recording_) recording_.emplace(stream, [this](Stream& s) { enqueue(s); });
  recording_->replay(stream);
}

std::vector<double> Program::profile(Stream& stream) {
  make_ready(stream);
  if (!plan_.device.is_cpu() && runs_ == 0) run(stream);
  if (!profiled_) {
    marks_.emplace(plan_.device, bound_.size() + 1);
    profiled_.emplace(stream, [this](Stream& recorded) {
      for (std::size_t s = 0; s < bound_.size(); ++s) {
        marks_->set(recorded, s);
        enqueue_step(recorded, s);
      }
      marks_->set(recorded, bound_.size());
    });
  }
  profiled_->replay(stream);
  stream.wait();
  std::vector<double> milliseconds;
  for (std::size_t s = 0; s < bound_.size(); ++s) milliseconds.push_back(1e3 * marks_->seconds(s, s + 1));
  return milliseconds;
}

Tensor Program::tensor(Value v) const {
  const Tensor t = by_value_[static_cast<std::size_t>(v.id)];
  require(t.data != nullptr, "program: the value has no memory (neither input, output nor bound state)");
  return t;
}

}  // namespace ipa
