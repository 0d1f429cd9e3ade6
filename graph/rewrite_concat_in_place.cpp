#include "graph/ops/concat.h"
#include "graph/rewrite.h"

namespace ipa::rewrites {
namespace {

struct Use {
  int node = -1, operand = 0;
};

// Who makes and who reads each value, and which lie in one memory already.
class Places {
 public:
  Places(const Graph::Lists& lists, const std::vector<bool>& kept, Device device)
      : lists_(lists),
        kept_(kept),
        device_(device),
        maker_(lists.infos.size()),
        readers_(lists.infos.size()),
        part_(lists.infos.size(), false),
        whole_(lists.infos.size(), false) {
    for (int n = 0; n < static_cast<int>(lists.nodes.size()); ++n) {
      const Graph::Node& node = lists.nodes[static_cast<std::size_t>(n)];
      for (int o = 0; o < static_cast<int>(node.outputs.size()); ++o)
        maker_[index(node.outputs[static_cast<std::size_t>(o)])] = {n, o};
      for (int i = 0; i < static_cast<int>(node.inputs.size()); ++i)
        if (const Value v = node.inputs[static_cast<std::size_t>(i)]) readers_[index(v)].push_back({n, i});
    }
  }

  // Whether all that node `n`, which `in_place` may stand for, would have in one memory can be there; then it is.
  bool take(int n, const Op& in_place) {
    const Graph::Node& node = lists_.nodes[static_cast<std::size_t>(n)];
    const Value out = node.outputs[0];
    const bool joins = node.inputs[0] && lists_.spec(node.inputs[0]).shape.c < lists_.spec(out).shape.c;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const Value part = joins ? node.inputs[i] : out, whole = joins ? out : node.inputs[i];
      if (!may_be_whole(whole) || !may_be_part(part, n, joins)) return false;
      if (!fits(*in_place.first_channel(static_cast<int>(i)), lists_.spec(part), lists_.spec(whole))) return false;
    }
    for (const Value& in : node.inputs) (joins ? part_ : whole_)[index(in)] = true;
    (joins ? whole_ : part_)[index(out)] = true;
    return true;
  }

 private:
  static std::size_t index(Value v) { return static_cast<std::size_t>(v.id); }
  const Op& op(int node) const { return *lists_.nodes[static_cast<std::size_t>(node)].op; }

  bool may_be_whole(Value v) const {
    return lists_.infos[index(v)].kind != Graph::Kind::state && !kept_[index(v)] && !part_[index(v)];
  }

  // Of node `n`, which joins it to others: then its maker writes it there. Whoever else reads it, reads it there, and
  // nobody takes it for another operand of `n`.
  bool may_be_part(Value v, int n, bool joins) const {
    const Use made = maker_[index(v)];
    if (made.node < 0 || kept_[index(v)] || part_[index(v)] || whole_[index(v)]) return false;
    if (joins && !op(made.node).pitched_output(made.operand)) return false;
    int here = 0;
    for (const Use& use : readers_[index(v)]) {
      here += use.node == n;
      const std::vector<Value>& in = lists_.nodes[static_cast<std::size_t>(use.node)].inputs;
      if (use.node != n && !op(use.node).pitched_input(use.operand, device_, lists_.specs(in))) return false;
    }
    return here <= 1;
  }

  // Whether the part's pixels, padding included, are those channels of the whole's, padding included.
  bool fits(std::int64_t first, const TensorSpec& part, const TensorSpec& whole) const {
    const bool last = first + part.shape.c == whole.shape.c;
    return pitch_on(device_, {vector_shape(first), part.dtype}) == first &&
           (last || pitch_on(device_, part) == part.shape.c);
  }

  const Graph::Lists& lists_;
  const std::vector<bool>& kept_;
  Device device_;
  std::vector<Use> maker_;  // by value id
  std::vector<std::vector<Use>> readers_;
  std::vector<bool> part_, whole_;
};

}  // namespace

int concat_in_place(Graph::Lists& lists, const std::vector<bool>& kept, Device device) {
  Places places(lists, kept, device);
  int count = 0;
  for (std::size_t n = 0; n < lists.nodes.size(); ++n) {
    Graph::Node& node = lists.nodes[n];
    const OpPtr in_place = in_place_form(node.op, lists.specs(node.inputs));
    if (!in_place || !places.take(static_cast<int>(n), *in_place)) continue;
    node.op = in_place;
    ++count;
  }
  return count;
}

}  // namespace ipa::rewrites
