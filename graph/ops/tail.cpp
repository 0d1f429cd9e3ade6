#include "kernels/tail.h"

#include <array>

#include "graph/ops.h"
#include "graph/ops/tail.h"
#include "kernels/channel_sums.h"

namespace ipa {
namespace {

// What distinguishes the tails: how many tensors make the branch (first of the op's inputs), what follows its norm, and
// whether the output is wanted pooled too.
struct Kind {
  const char* name;
  std::size_t parts;
  Activation inner;
  bool pooled = false;
};
constexpr Kind multires{"multires_tail", 3, no_activation}, respath{"respath_tail", 1, relu_activation},
    multires_pooled{"multires_tail_pooled", 3, no_activation, true};

// Whether y and dy may lie among the channels of wider tensors: of a ResPath unit, whose y is joined with others.
bool takes_pitch(const Kind& k) { return k.parts == 1; }

double bytes_of(const TensorSpec& s) { return static_cast<double>(s.bytes()); }
double bytes_of(Specs all) {
  double bytes = 0;
  for (const TensorSpec& s : all) bytes += bytes_of(s);
  return bytes;
}

std::span<const Tensor> first(std::span<const Tensor> in, std::size_t skip, const Kind& k) {
  return in.subspan(skip, k.parts);
}

void check_branch(const Kind& k, Specs in) {
  const Shape& s = in[k.parts].shape;
  std::int64_t channels = 0;
  for (const TensorSpec& p : in.first(k.parts)) {
    require(p.shape.n == s.n && p.shape.h == s.h && p.shape.w == s.w, std::string(k.name) + ": shapes differ");
    channels += p.shape.c;
  }
  require(channels == s.c, std::string(k.name) + ": the branch and the shortcut differ in width");
}

TensorSpec pooled_spec(const Kind& k, const TensorSpec& y) {
  const Shape& s = y.shape;
  require(s.h % 2 == 0 && s.w % 2 == 0, std::string(k.name) + ": height and width must be even, not " + to_string(s));
  return {{s.n, s.h / 2, s.w / 2, s.c}, y.dtype};
}

void check_vectors(const Kind& k, Specs vectors, std::int64_t channels) {
  for (const TensorSpec& v : vectors)
    require(v.shape.c == 0 || v.shape == vector_shape(channels),
            std::string(k.name) + ": a parameter's shape is not (1, 1, 1, " + std::to_string(channels) + ")");
}

// gamma or none and beta of shortcut, branch, out, as the ops on known statistics take them.
TailNorms norms_of(std::span<const Tensor> p) {
  return {.shortcut = {.gamma = p[0], .beta = p[1]},
          .branch = {.gamma = p[2], .beta = p[3]},
          .out = {.gamma = p[4], .beta = p[5]}};
}

// dy, statistics, branch..., shortcut, then gamma or none and beta of shortcut, branch, out; if pooled, dpooled and y
// -> dbranch..., dshortcut, then dgamma and dbeta of shortcut, branch, out
class TailGradient final : public Op {
 public:
  explicit TailGradient(const Kind& k) : kind_(k) {}
  std::string name() const override { return std::string(kind_.name) + " gradient"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    std::vector<TensorSpec> out(in.begin() + 2, in.begin() + 3 + static_cast<std::ptrdiff_t>(kind_.parts));
    out.insert(out.end(), 6, {vector_shape(in[0].shape.c)});
    return out;
  }
  Launch prepare(Device device, Specs in, Specs) const override {
    return {[k = kind_](const Call& c) {
              const auto p = c.in.subspan(3 + k.parts);
              const auto d = c.out.subspan(1 + k.parts);
              TailOutputGradients from{.dy = c.in[0]};
              if (k.pooled) from = {c.in[0], p[6], p[7]};
              tail_backward(c.stream, c.out[k.parts], first(c.out, 0, k), {d[0], d[1], d[2], d[3], d[4], d[5]}, from,
                            c.in[1], c.in[2 + k.parts], first(c.in, 2, k), norms_of(p), k.inner, c.workspace);
            },
            tail_gradient_workspace_bytes(device, in[0].shape, kind_.pooled)};
  }
  bool in_place(int i, int o) const override {
    return o <= static_cast<int>(kind_.parts) && (i == 0 || i == 2 + o);  // dy, or what the gradient belongs to
  }
  bool pitched_input(int i, Device, Specs) const override { return i == 0 && takes_pitch(kind_); }
  Cost cost(Specs in, Specs out) const override {  // three passes read dy, the operands and what was pooled's gradient
    const std::size_t operands = kind_.parts + 1;
    double bytes = 3 * (bytes_of(in[0]) + bytes_of(in.subspan(2, operands))) + bytes_of(out.first(operands));
    if (kind_.pooled) bytes += 3 * bytes_of(in[2 + operands + 6]);
    return {bytes, 60 * static_cast<double>(in[0].shape.elements())};
  }

 private:
  Kind kind_;
};

// statistics, branch..., shortcut, then gamma or none and beta of shortcut, branch, out -> y
class TailRecompute final : public Op {
 public:
  explicit TailRecompute(const Kind& k) : kind_(k) {}
  std::string name() const override { return std::string(kind_.name) + " recomputed"; }
  std::vector<TensorSpec> infer(Specs in) const override { return {in[1 + kind_.parts]}; }
  Launch prepare(Device device, Specs, Specs out) const override {
    return {[k = kind_](const Call& c) {
              tail_recompute(c.stream, c.out[0], c.in[0], c.in[1 + k.parts], first(c.in, 1, k),
                             norms_of(c.in.subspan(2 + k.parts)), k.inner, c.workspace);
            },
            tail_recompute_workspace_bytes(device, out[0].shape)};
  }
  Cost cost(Specs in, Specs out) const override {
    return {bytes_of(in.subspan(1, kind_.parts + 1)) + bytes_of(out[0]),
            10 * static_cast<double>(out[0].shape.elements())};
  }

 private:
  Kind kind_;
};

struct NormAttributes {
  float eps, momentum;
};

// branch..., shortcut, then gamma or none, beta, running mean and variance of shortcut, branch, out, and for each of
// summed_inputs() its sums or none, or nothing -> y, statistics, and y pooled if wanted
class Tail final : public Op {
 public:
  Tail(const Kind& k, const std::array<NormAttributes, 3>& norms) : kind_(k), norms_(norms) {}
  std::string name() const override { return kind_.name; }
  std::vector<TensorSpec> infer(Specs in) const override {
    check_branch(kind_, in);
    const TensorSpec& y = in[kind_.parts];
    check_vectors(kind_, in.subspan(kind_.parts + 1, norm_inputs), y.shape.c);
    require(in.size() <= sums_at() + summed_inputs().size(), std::string(kind_.name) + ": too many inputs");
    for (const TensorSpec& sums : in.subspan(sums_at()))
      require(sums.shape.c == 0 || sums.shape == channel_sums_shape(y.shape.c),
              std::string(kind_.name) + ": the sums are of another width");
    std::vector<TensorSpec> out{y, {tail_statistics_shape(y.shape.c)}};
    if (kind_.pooled) out.push_back(pooled_spec(kind_, y));
    return out;
  }
  Launch prepare(Device device, Specs, Specs out) const override {
    return {[k = kind_, norms = norms_, at = sums_at()](const Call& c) {
              auto norm = [&](std::size_t i) {
                const auto p = c.in.subspan(k.parts + 1 + 4 * i, 4);
                return NormParameters{p[0], p[1], p[2], p[3], norms[i].eps, norms[i].momentum};
              };
              auto sums = [&](std::size_t i) { return at + i < c.in.size() ? c.in[at + i] : Tensor{}; };
              tail_forward(c.stream, c.out[0], k.pooled ? c.out[2] : Tensor{}, c.out[1], c.in[k.parts],
                           first(c.in, 0, k), {norm(0), norm(1), norm(2)}, {sums(0), sums(1)}, k.inner, c.workspace);
            },
            tail_workspace_bytes(device, out[0].shape)};
  }
  std::vector<Value> vjp(Values in, Values out, Values dout, const std::vector<bool>&) const override {
    Graph& graph = *in[0].graph;
    auto gradient_of = [&](std::size_t o) { return dout[o] ? dout[o] : constant(graph, out[o].spec(), 0); };
    std::vector<Value> from = known(in, out);
    from.insert(from.begin(), gradient_of(0));
    if (kind_.pooled) from.insert(from.end(), {gradient_of(2), out[0]});
    const std::vector<Value> d = graph.apply(std::make_shared<const TailGradient>(kind_), std::move(from));
    std::vector<Value> result(d.begin(), d.begin() + static_cast<std::ptrdiff_t>(kind_.parts) + 1);
    for (std::size_t i = kind_.parts + 1; i < d.size(); i += 2)
      result.insert(result.end(), {d[i], d[i + 1], Value{}, Value{}});
    result.resize(in.size());  // sums come of the same tensors, whose gradient is whole already
    return result;
  }
  Value recompute(Values in, Values out, int o) const override {
    return o == 0 ? apply<TailRecompute>(*in[0].graph, known(in, out), kind_) : Value{};
  }
  bool pitched_output(int o) const override { return o == 0 && takes_pitch(kind_); }
  bool mutates(int i) const override {
    const int p = i - static_cast<int>(kind_.parts) - 1;
    return p >= 0 && p < norm_inputs && p % 4 >= 2;
  }
  Cost cost(Specs in, Specs out) const override {  // pass 3 makes y of r, which pass 2 left in y's memory
    Cost c{2 * bytes_of(in.first(kind_.parts + 1)) + 3 * bytes_of(out[0]) + (kind_.pooled ? bytes_of(out[2]) : 0),
           25 * static_cast<double>(out[0].shape.elements())};
    for (std::size_t i = sums_at(); i < in.size(); ++i) {
      if (in[i].shape.c == 0) continue;
      const TensorSpec& known = in[static_cast<std::size_t>(summed_inputs()[i - sums_at()])];  // not read in pass 1
      c.bytes += bytes_of(in[i]) - bytes_of(known);
      c.flops -= 4 * static_cast<double>(known.shape.elements());
    }
    return c;
  }
  // tail.h
  std::vector<int> summed_inputs() const {
    const int shortcut = static_cast<int>(kind_.parts);
    return kind_.parts == 1 ? std::vector{shortcut, 0} : std::vector{shortcut};
  }

 private:
  static constexpr int norm_inputs = 12;
  std::size_t sums_at() const { return kind_.parts + 1 + norm_inputs; }

  // What the other passes take: statistics, branch..., shortcut, the norms' parameters.
  std::vector<Value> known(Values in, Values out) const {
    std::vector<Value> all{out[1]};
    all.insert(all.end(), in.begin(), in.begin() + static_cast<std::ptrdiff_t>(kind_.parts) + 1);
    for (std::size_t i = kind_.parts + 1; i < sums_at(); i += 4) all.insert(all.end(), {in[i], in[i + 1]});
    return all;
  }

  Kind kind_;
  std::array<NormAttributes, 3> norms_;
};

// branch..., shortcut, scale of the branch or none, scale and shift of the output -> y, and y pooled if wanted
class TailFolded final : public Op {
 public:
  explicit TailFolded(const Kind& k) : kind_(k) {}
  std::string name() const override { return std::string(kind_.name) + " folded"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    check_branch(kind_, in);
    check_vectors(kind_, in.subspan(kind_.parts + 1), in[kind_.parts].shape.c);
    const TensorSpec& y = in[kind_.parts];
    if (kind_.pooled) return {y, pooled_spec(kind_, y)};
    return {y};
  }
  Launch prepare(Device device, Specs, Specs out) const override {
    return {[k = kind_](const Call& c) {
              const auto p = c.in.subspan(k.parts);
              tail_folded(c.stream, c.out[0], k.pooled ? c.out[1] : Tensor{}, p[0], first(c.in, 0, k), p[1], p[2], p[3],
                          k.inner, c.workspace);
            },
            tail_folded_workspace_bytes(device, out[0].shape)};
  }
  bool in_place(int i, int o) const override { return i == static_cast<int>(kind_.parts) && o == 0; }
  bool pitched_output(int o) const override { return o == 0 && takes_pitch(kind_); }
  Cost cost(Specs in, Specs out) const override {
    return moving(in, out, 5 * static_cast<double>(out[0].shape.elements()));
  }

 private:
  Kind kind_;
};

// y and, if wanted, y pooled.
std::vector<Value> tail(const Kind& k, std::vector<Value> in, const BatchNorm& shortcut, const BatchNorm& branch,
                        const BatchNorm& out) {
  for (const BatchNorm* bn : {&shortcut, &branch, &out})
    in.insert(in.end(), {bn->gamma, bn->beta, bn->running_mean, bn->running_var});
  const std::array<NormAttributes, 3> norms{
      {{shortcut.eps, shortcut.momentum}, {branch.eps, branch.momentum}, {out.eps, out.momentum}}};
  Graph& graph = *in[0].graph;
  const std::vector<Value> made = graph.apply(std::make_shared<const Tail>(k, norms), std::move(in));
  return k.pooled ? std::vector<Value>{made[0], made[2]} : std::vector<Value>{made[0]};
}

}  // namespace

std::vector<int> tail_summed_inputs(const Op& op) {
  const auto* tail = dynamic_cast<const Tail*>(&op);
  return tail ? tail->summed_inputs() : std::vector<int>{};
}

Value multires_tail(Value f1, Value f2, Value f3, Value shortcut, const BatchNorm& bn_shortcut,
                    const BatchNorm& bn_concat, const BatchNorm& bn_out) {
  return tail(multires, {f1, f2, f3, shortcut}, bn_shortcut, bn_concat, bn_out).front();
}

Pooled multires_tail_pooled(Value f1, Value f2, Value f3, Value shortcut, const BatchNorm& bn_shortcut,
                            const BatchNorm& bn_concat, const BatchNorm& bn_out) {
  const std::vector<Value> made = tail(multires_pooled, {f1, f2, f3, shortcut}, bn_shortcut, bn_concat, bn_out);
  return {made[0], made[1]};
}

Value multires_tail_folded(Value f1, Value f2, Value f3, Value shortcut, Value scale_concat, Value scale_out,
                           Value shift_out) {
  return apply<TailFolded>(*f1.graph, {f1, f2, f3, shortcut, scale_concat, scale_out, shift_out}, multires);
}

Pooled multires_tail_pooled_folded(Value f1, Value f2, Value f3, Value shortcut, Value scale_concat, Value scale_out,
                                   Value shift_out) {
  const std::vector<Value> made = f1.graph->apply(std::make_shared<const TailFolded>(multires_pooled),
                                                  {f1, f2, f3, shortcut, scale_concat, scale_out, shift_out});
  return {made[0], made[1]};
}

Value respath_tail(Value shortcut, Value residual, const BatchNorm& bn_shortcut, const BatchNorm& bn_residual,
                   const BatchNorm& bn_out) {
  return tail(respath, {residual, shortcut}, bn_shortcut, bn_residual, bn_out).front();
}

Value respath_tail_folded(Value shortcut, Value residual, Value scale_out, Value shift_out) {
  return apply<TailFolded>(*shortcut.graph, {residual, shortcut, Value{}, scale_out, shift_out}, respath);
}

}  // namespace ipa
