#include "graph/plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

namespace ipa {
namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t align_up(std::size_t n) { return (n + alignment - 1) / alignment * alignment; }

// Offsets by size, the largest first, each at the lowest place free during its life.
void assign_offsets(std::vector<Plan::Storage>& storages, const PlanOptions& options, std::size_t& arena_bytes) {
  std::vector<std::size_t> by_size(storages.size()), placed;
  std::iota(by_size.begin(), by_size.end(), std::size_t{0});
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](std::size_t a, std::size_t b) { return storages[a].bytes > storages[b].bytes; });
  const std::size_t guard = align_up(options.guard_bytes);
  for (const std::size_t index : by_size) {
    Plan::Storage& s = storages[index];
    const std::size_t room = align_up(s.bytes) + guard;
    std::size_t at = guard;
    for (const std::size_t other : placed) {  // in order of offset
      const Plan::Storage& o = storages[other];
      const bool overlap = !options.share || (s.first <= o.last && o.first <= s.last);
      if (!overlap) continue;
      if (at + room <= o.offset) break;
      at = std::max(at, o.offset + align_up(o.bytes) + guard);
    }
    s.offset = at;
    arena_bytes = std::max(arena_bytes, at + room);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), index,
                         [&](std::size_t a, std::size_t b) { return storages[a].offset < storages[b].offset; }),
        index);
  }
}

// Which values lie among the channels of others. A whole and its views have one storage, the whole's, from the first of
// them to the last use of any.
class Views {
 public:
  explicit Views(std::size_t values) : views_(values), viewed_(values, false) {}

  // What a node without work says: the narrower of each input and the output are channels of the wider one.
  void add(const Graph& graph, const Graph::Node& node) {
    const Value out = node.outputs[0];
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const Value in = node.inputs[i];
      const bool joins = in.shape().c < out.shape().c;
      const Value part = joins ? in : out, whole = joins ? out : in;
      const Graph::Info &of_part = graph.info(part), &of_whole = graph.info(whole);
      require(of_part.kind == Graph::Kind::result && of_part.stored < 0 && !is_view(part) && !is_viewed(part) &&
                  of_whole.kind != Graph::Kind::state && of_whole.stored < 0 && !is_view(whole),
              "plan: " + of_part.name + " cannot lie in " + of_whole.name);
      views_[index(part)] = {whole.id, *node.op->first_channel(static_cast<int>(i))};
      viewed_[index(whole)] = true;
    }
  }

  bool is_view(Value v) const { return views_[index(v)].whole >= 0; }
  bool is_viewed(Value v) const { return viewed_[index(v)]; }
  int owner(Value v) const { return is_view(v) ? views_[index(v)].whole : v.id; }  // of its storage
  const std::vector<Plan::View>& all() const { return views_; }

 private:
  static std::size_t index(Value v) { return static_cast<std::size_t>(v.id); }
  std::vector<Plan::View> views_;
  std::vector<bool> viewed_;  // whether it is the whole of views
};

}  // namespace

std::vector<bool> live_nodes(const Graph& graph, Values outputs) {
  std::vector<bool> wanted(graph.infos().size(), false), live(graph.nodes().size(), false);
  for (const Value& v : outputs) wanted[static_cast<std::size_t>(v.id)] = true;
  for (std::size_t n = graph.nodes().size(); n-- > 0;) {
    const Graph::Node& node = graph.nodes()[n];
    bool keep = false;
    for (const Value& v : node.outputs) keep |= wanted[static_cast<std::size_t>(v.id)] || graph.info(v).stored >= 0;
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      keep |= node.inputs[i] && node.op->mutates(static_cast<int>(i));
    if (!keep) continue;
    live[n] = true;
    for (const Value& v : node.inputs)
      if (v) wanted[static_cast<std::size_t>(v.id)] = true;
  }
  return live;
}

Plan plan(const Graph& graph, Values outputs, const PlanOptions& options) {
  Plan result;
  result.device = options.device;
  result.storage_of.assign(graph.infos().size(), -1);
  Views views(graph.infos().size());
  const std::vector<bool> live = live_nodes(graph, outputs);
  for (std::size_t n = 0; n < live.size(); ++n) {
    if (!live[n]) continue;
    if (graph.nodes()[n].op->first_channel(0))
      views.add(graph, graph.nodes()[n]);
    else
      result.steps.push_back({static_cast<int>(n), {}, -1});
  }
  result.views = views.all();
  const int end = static_cast<int>(result.steps.size());

  std::vector<int> last_use(graph.infos().size(), -1);  // of a whole, that of its views too
  for (int s = 0; s < end; ++s)
    for (const Value& v :
         graph.nodes()[static_cast<std::size_t>(result.steps[static_cast<std::size_t>(s)].node)].inputs)
      if (v) last_use[static_cast<std::size_t>(views.owner(v))] = s;
  for (const Value& v : outputs) last_use[static_cast<std::size_t>(views.owner(v))] = end;

  auto open = [&](int id, int first) {
    const Graph::Info& info = graph.infos()[static_cast<std::size_t>(id)];
    result.storage_of[static_cast<std::size_t>(id)] = static_cast<int>(result.storages.size());
    result.storages.push_back({info.name, bytes_on(options.device, info.spec), 0, first,
                               std::max(first, last_use[static_cast<std::size_t>(id)])});
    result.unshared_bytes += align_up(bytes_on(options.device, info.spec));
  };
  for (std::size_t id = 0; id < graph.infos().size(); ++id)
    if (graph.infos()[id].kind == Graph::Kind::input) {
      last_use[id] = end;  // what the caller filled stays until the caller changes it
      open(static_cast<int>(id), 0);
      result.inputs.push_back({const_cast<Graph*>(&graph), static_cast<int>(id)});
    }

  for (int s = 0; s < end; ++s) {
    Plan::Step& step = result.steps[static_cast<std::size_t>(s)];
    const Graph::Node& node = graph.nodes()[static_cast<std::size_t>(step.node)];
    std::vector<bool> taken(node.inputs.size(), false);
    for (std::size_t o = 0; o < node.outputs.size(); ++o) {
      const Value out = node.outputs[o];
      if (graph.info(out).stored >= 0) continue;
      if (views.is_view(out)) {
        const int whole = views.owner(out);
        if (result.storage_of[static_cast<std::size_t>(whole)] < 0) open(whole, s);
        continue;
      }
      int heir = -1;  // an input of the same size that dies here
      for (std::size_t i = 0; options.share && i < node.inputs.size() && heir < 0; ++i) {
        const Value in = node.inputs[i];
        if (!in || taken[i] || !node.op->in_place(static_cast<int>(i), static_cast<int>(o))) continue;
        if (views.is_view(in) || views.is_viewed(in))
          continue;  // what lies there too may be read yet, by this very node
        const int storage = result.storage_of[static_cast<std::size_t>(in.id)];
        if (storage >= 0 && result.storages[static_cast<std::size_t>(storage)].last == s && in.spec() == out.spec() &&
            std::count(node.inputs.begin(), node.inputs.end(), in) == 1) {
          heir = storage;
          taken[i] = true;
        }
      }
      if (heir < 0) {
        open(out.id, s);
      } else {
        result.storage_of[static_cast<std::size_t>(out.id)] = heir;
        result.storages[static_cast<std::size_t>(heir)].last = std::max(s, last_use[static_cast<std::size_t>(out.id)]);
        result.unshared_bytes += align_up(bytes_on(options.device, out.spec()));
        ++result.in_place;
      }
    }
    step.launch = node.op->prepare(options.device, graph.specs(node.inputs), graph.specs(node.outputs));
    if (step.launch.workspace_bytes) {
      step.workspace = static_cast<int>(result.storages.size());
      result.storages.push_back({node.op->name() + " workspace", step.launch.workspace_bytes, 0, s, s, true});
      result.unshared_bytes += align_up(step.launch.workspace_bytes);
    }
  }
  for (std::size_t id = 0; id < result.views.size(); ++id)
    if (const int whole = result.views[id].whole; whole >= 0)
      result.storage_of[id] = result.storage_of[static_cast<std::size_t>(whole)];
  assign_offsets(result.storages, options, result.arena_bytes);
  return result;
}

std::string memory_table(const Plan& plan, std::size_t most) {
  const double mib = 1.0 / (1 << 20);
  int fullest = 0;
  std::size_t full = 0;
  for (int s = 0; s < static_cast<int>(plan.steps.size()); ++s) {
    std::size_t bytes = 0;
    for (const Plan::Storage& o : plan.storages) bytes += o.first <= s && s <= o.last ? align_up(o.bytes) : 0;
    if (bytes > full) full = bytes, fullest = s;
  }
  std::string text = fmt::format(
      "{} steps, {} storages, {} values in place\narena {:.1f} MiB (fullest step needs {:.1f}, without sharing "
      "{:.1f})\n",
      plan.steps.size(), plan.storages.size(), plan.in_place, static_cast<double>(plan.arena_bytes) * mib,
      static_cast<double>(full) * mib, static_cast<double>(plan.unshared_bytes) * mib);
  std::vector<const Plan::Storage*> there;
  for (const Plan::Storage& o : plan.storages)
    if (o.first <= fullest && fullest <= o.last) there.push_back(&o);
  std::stable_sort(there.begin(), there.end(), [](auto a, auto b) { return a->bytes > b->bytes; });
  text += fmt::format("largest of the {} storages at step {}:\n", there.size(), fullest);
  for (std::size_t i = 0; i < std::min(most, there.size()); ++i)
    text += fmt::format("  {:9.2f} MiB  steps {:>5}..{:<5} {}\n", static_cast<double>(there[i]->bytes) * mib,
                        there[i]->first, there[i]->last, there[i]->name);
  return text;
}

}  // namespace ipa
