#include "kernels/resample.h"

#include "graph/ops.h"

namespace ipa {
namespace {

Shape twice(const Shape& s) { return {s.n, 2 * s.h, 2 * s.w, s.c}; }

// Of four pixels each, to find the greatest.
double comparisons(const TensorSpec& pooled) { return 3.0 * static_cast<double>(pooled.shape.elements()); }

// dy, x -> dx
class MaxPoolGradient final : public Op {
 public:
  std::string name() const override { return "max_pool2 gradient"; }
  std::vector<TensorSpec> infer(Specs in) const override { return {in[1]}; }
  Launch prepare(Device, Specs, Specs) const override {
    return {[](const Call& c) { max_pool2_backward(c.stream, c.out[0], c.in[0], c.in[1]); }};
  }
  bool in_place(int i, int) const override { return i == 1; }
  Cost cost(Specs in, Specs out) const override { return moving(in, out, comparisons(in[0])); }
};

class MaxPool final : public Op {
 public:
  std::string name() const override { return "max_pool2"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    const Shape& s = in[0].shape;
    require(s.h % 2 == 0 && s.w % 2 == 0, "max_pool2: height and width must be even, not " + to_string(s));
    return {{{s.n, s.h / 2, s.w / 2, s.c}, in[0].dtype}};
  }
  Launch prepare(Device, Specs, Specs) const override {
    return {[](const Call& c) { max_pool2_forward(c.stream, c.out[0], c.in[0]); }};
  }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>&) const override {
    return {apply<MaxPoolGradient>(*in[0].graph, {dout[0], in[0]})};
  }
  Cost cost(Specs in, Specs out) const override { return moving(in, out, comparisons(out[0])); }
};

enum class Filter { nearest, bilinear };
const char* to_string(Filter f) { return f == Filter::nearest ? "upsample_nearest2" : "upsample_bilinear2"; }

// Bilinear weights are 9, 3, 3 and 1 sixteenths; nearest copies forward and adds four backward.
double sums(Filter f, const TensorSpec& large) {
  return (f == Filter::nearest ? 1.0 : 7.0) * static_cast<double>(large.shape.elements());
}

class UpsampleGradient final : public Op {
 public:
  explicit UpsampleGradient(Filter f) : filter_(f) {}
  std::string name() const override { return std::string(to_string(filter_)) + " gradient"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    const Shape& s = in[0].shape;
    return {{{s.n, s.h / 2, s.w / 2, s.c}, in[0].dtype}};
  }
  Launch prepare(Device, Specs, Specs) const override {
    return {[backward = filter_ == Filter::nearest ? upsample_nearest2_backward : upsample_bilinear2_backward](
                const Call& c) { backward(c.stream, c.out[0], c.in[0]); }};
  }
  Cost cost(Specs in, Specs out) const override { return moving(in, out, sums(filter_, in[0])); }

 private:
  Filter filter_;
};

class Upsample final : public Op {
 public:
  explicit Upsample(Filter f) : filter_(f) {}
  std::string name() const override { return to_string(filter_); }
  std::vector<TensorSpec> infer(Specs in) const override { return {{twice(in[0].shape), in[0].dtype}}; }
  Launch prepare(Device, Specs, Specs) const override {
    return {[forward = filter_ == Filter::nearest ? upsample_nearest2_forward : upsample_bilinear2_forward](
                const Call& c) { forward(c.stream, c.out[0], c.in[0]); }};
  }
  Cost cost(Specs in, Specs out) const override {
    return moving(in, out, filter_ == Filter::nearest ? 0 : sums(filter_, out[0]));
  }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>&) const override {
    return {apply<UpsampleGradient>(*in[0].graph, {dout[0]}, filter_)};
  }

 private:
  Filter filter_;
};

}  // namespace

Value max_pool2(Value x) { return apply<MaxPool>(*x.graph, {x}); }
Value upsample_nearest2(Value x) { return apply<Upsample>(*x.graph, {x}, Filter::nearest); }
Value upsample_bilinear2(Value x) { return apply<Upsample>(*x.graph, {x}, Filter::bilinear); }

}  // namespace ipa
