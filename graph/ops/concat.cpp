#include "kernels/concat.h"

#include "graph/ops.h"
#include "graph/ops/concat.h"

namespace ipa {
namespace {

class Concat final : public Op {
 public:
  std::string name() const override { return "concat"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    Shape s = in[0].shape;
    s.c = 0;
    for (const TensorSpec& part : in) {
      require(part.shape.n == s.n && part.shape.h == s.h && part.shape.w == s.w && part.dtype == in[0].dtype,
              "concat: " + to_string(part.shape) + " beside " + to_string(in[0].shape));
      s.c += part.shape.c;
    }
    return {{s, in[0].dtype}};
  }
  Launch prepare(Device, Specs, Specs) const override {
    return {[](const Call& c) { concat_channels(c.stream, c.out[0], c.in); }};
  }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>& needs) const override {
    std::vector<Value> d(in.size());
    std::int64_t first = 0;
    for (std::size_t i = 0; i < in.size(); first += in[i++].shape().c)
      if (needs[i]) d[i] = slice_channels(dout[0], first, in[i].shape().c);
    return d;
  }
};

class SliceGradient final : public Op {
 public:
  SliceGradient(const Shape& x, std::int64_t first) : x_(x), first_(first) {}
  std::string name() const override { return "slice_channels gradient"; }
  std::vector<TensorSpec> infer(Specs in) const override { return {{x_, in[0].dtype}}; }
  Launch prepare(Device, Specs, Specs) const override {
    return {[first = first_](const Call& c) { slice_channels_backward(c.stream, c.out[0], c.in[0], first); }};
  }

 private:
  Shape x_;
  std::int64_t first_;
};

class Slice final : public Op {
 public:
  Slice(std::int64_t first, std::int64_t count) : first_(first), count_(count) {}
  std::string name() const override { return "slice_channels"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    Shape s = in[0].shape;
    require(first_ >= 0 && count_ > 0 && first_ + count_ <= s.c, "slice_channels: channels " + std::to_string(first_) +
                                                                     " and " + std::to_string(count_) +
                                                                     " more are not in " + to_string(s));
    s.c = count_;
    return {{s, in[0].dtype}};
  }
  Launch prepare(Device, Specs, Specs) const override {
    return {[first = first_](const Call& c) { slice_channels_forward(c.stream, c.out[0], c.in[0], first); }};
  }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>&) const override {
    return {apply<SliceGradient>(*in[0].graph, {dout[0]}, in[0].shape(), first_)};
  }
  Cost cost(Specs, Specs out) const override { return {2.0 * static_cast<double>(out[0].bytes()), 0}; }
  std::int64_t first() const { return first_; }

 private:
  std::int64_t first_, count_;
};

// What a concatenation or a slice says, without the copy.
class InPlace final : public Op {
 public:
  InPlace(OpPtr op, std::vector<std::int64_t> first_channels)
      : op_(std::move(op)), first_channels_(std::move(first_channels)) {}
  std::string name() const override { return op_->name() + " in place"; }
  std::vector<TensorSpec> infer(Specs in) const override { return op_->infer(in); }
  Launch prepare(Device, Specs, Specs) const override { return {}; }  // it is no step of a plan
  std::optional<std::int64_t> first_channel(int i) const override {
    return first_channels_[static_cast<std::size_t>(i)];
  }
  Cost cost(Specs, Specs) const override { return {}; }

 private:
  OpPtr op_;
  std::vector<std::int64_t> first_channels_;
};

}  // namespace

OpPtr in_place_form(const OpPtr& op, Specs in) {
  std::vector<std::int64_t> first;
  if (const auto* slice = dynamic_cast<const Slice*>(op.get())) {
    if (op->infer(in)[0].shape.c < in[0].shape.c) first.push_back(slice->first());
  } else if (dynamic_cast<const Concat*>(op.get()) && in.size() > 1) {
    std::int64_t next = 0;
    for (const TensorSpec& part : in) {
      first.push_back(next);
      next += part.shape.c;
    }
  }
  return first.empty() ? OpPtr{} : std::make_shared<const InPlace>(op, std::move(first));
}

Value concat(std::vector<Value> parts) {
  require(!parts.empty(), "concat: of nothing");
  Graph& graph = *parts[0].graph;
  return apply<Concat>(graph, std::move(parts));
}

Value slice_channels(Value x, std::int64_t first, std::int64_t count) {
  return apply<Slice>(*x.graph, {x}, first, count);
}

}  // namespace ipa
