#include "graph/ops/batch_norm.h"

#include "graph/ops.h"
#include "kernels/batch_norm.h"
#include "kernels/channel_sums.h"

namespace ipa {
namespace {

double size(const TensorSpec& s) { return static_cast<double>(s.bytes()); }

void check_vectors(const char* op, Specs vectors, std::int64_t channels) {
  for (const TensorSpec& v : vectors)
    require(v.shape.c == 0 || v.shape == vector_shape(channels),
            std::string(op) + ": a parameter's shape is not (1, 1, 1, " + std::to_string(channels) + ")");
}

// dy, x, mean, invstd, gamma or none, beta -> dx, dgamma, dbeta
class BatchNormGradient final : public Op {
 public:
  explicit BatchNormGradient(Activation a) : a_(a) {}
  std::string name() const override { return "batch_norm gradient"; }
  std::vector<TensorSpec> infer(Specs in) const override { return {in[1], in[2], in[5]}; }
  Launch prepare(Device device, Specs in, Specs) const override {
    return {[a = a_](const Call& c) {
              batch_norm_backward(c.stream, c.out[0], c.out[1], c.out[2], c.in[0], c.in[1], c.in[2], c.in[3],
                                  {.gamma = c.in[4], .beta = c.in[5]}, a, c.workspace);
            },
            batch_norm_gradient_workspace_bytes(device, in[1].shape)};
  }
  bool in_place(int i, int o) const override { return i <= 1 && o == 0; }
  Cost cost(Specs in, Specs) const override {
    return {5 * size(in[1]), 16.0 * static_cast<double>(in[1].shape.elements())};
  }

 private:
  Activation a_;
};

// x, mean, invstd, gamma or none, beta -> y
class BatchNormRecompute final : public Op {
 public:
  explicit BatchNormRecompute(Activation a) : a_(a) {}
  std::string name() const override { return "batch_norm recomputed"; }
  std::vector<TensorSpec> infer(Specs in) const override { return {in[0]}; }
  Launch prepare(Device device, Specs in, Specs) const override {
    return {[a = a_](const Call& c) {
              batch_norm_recompute(c.stream, c.out[0], c.in[0], c.in[1], c.in[2], {.gamma = c.in[3], .beta = c.in[4]},
                                   a, c.workspace);
            },
            batch_norm_recompute_workspace_bytes(device, in[0].shape)};
  }
  Cost cost(Specs in, Specs) const override {
    return {2 * size(in[0]), 4.0 * static_cast<double>(in[0].shape.elements())};
  }

 private:
  Activation a_;
};

// sums, running mean, running variance -> mean, invstd
class BatchNormStatistics final : public Op {
 public:
  BatchNormStatistics(std::int64_t pixels, float eps, float momentum)
      : pixels_(pixels), eps_(eps), momentum_(momentum) {}
  std::string name() const override { return "batch_norm statistics"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    require(in[0].shape == channel_sums_shape(in[1].shape.c), "batch_norm statistics: no sums of this width");
    return {in[1], in[1]};
  }
  Launch prepare(Device, Specs in, Specs) const override {
    return {[pixels = pixels_, eps = eps_, momentum = momentum_](const Call& c) {
              batch_norm_statistics(c.stream, c.out[0], c.out[1], c.in[0], pixels,
                                    {.running_mean = c.in[1], .running_var = c.in[2], .eps = eps, .momentum = momentum},
                                    c.workspace);
            },
            batch_norm_statistics_workspace_bytes(in[1].shape.c)};
  }
  bool mutates(int i) const override { return i >= 1; }

 private:
  std::int64_t pixels_;
  float eps_, momentum_;
};

// x, gamma or none, beta, running mean, running variance -> y, mean, invstd
class BatchNormOp final : public Op {
 public:
  BatchNormOp(float eps, float momentum, Activation a) : eps_(eps), momentum_(momentum), a_(a) {}
  std::string name() const override { return "batch_norm"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    check_vectors("batch_norm", in.subspan(1), in[0].shape.c);
    return {in[0], {vector_shape(in[0].shape.c)}, {vector_shape(in[0].shape.c)}};
  }
  Launch prepare(Device device, Specs in, Specs) const override {
    return {[eps = eps_, momentum = momentum_, a = a_](const Call& c) {
              batch_norm_forward(c.stream, c.out[0], c.out[1], c.out[2], c.in[0],
                                 {c.in[1], c.in[2], c.in[3], c.in[4], eps, momentum}, a, c.workspace);
            },
            batch_norm_workspace_bytes(device, in[0].shape)};
  }
  std::vector<Value> vjp(Values in, Values out, Values dout, const std::vector<bool>&) const override {
    const std::vector<Value> d = in[0].graph->apply(std::make_shared<const BatchNormGradient>(a_),
                                                    {dout[0], in[0], out[1], out[2], in[1], in[2]});
    return {d[0], d[1], d[2], Value{}, Value{}};
  }
  Value recompute(Values in, Values out, int o) const override {
    if (o != 0) return {};
    return apply<BatchNormRecompute>(*in[0].graph, {in[0], out[1], out[2], in[1], in[2]}, a_);
  }
  bool in_place(int i, int o) const override { return i == 0 && o == 0; }
  bool mutates(int i) const override { return i >= 3; }
  Cost cost(Specs in, Specs) const override {
    return {3 * size(in[0]), 8.0 * static_cast<double>(in[0].shape.elements())};
  }
  BatchNormHalves halves(std::int64_t pixels) const {
    return {std::make_shared<const BatchNormStatistics>(pixels, eps_, momentum_),
            std::make_shared<const BatchNormRecompute>(a_)};
  }

 private:
  float eps_, momentum_;
  Activation a_;
};

class Affine final : public Op {
 public:
  explicit Affine(Activation a) : a_(a) {}
  std::string name() const override { return "affine"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    check_vectors("affine", in.subspan(1), in[0].shape.c);
    return {in[0]};
  }
  Launch prepare(Device device, Specs in, Specs) const override {
    return {[a = a_](const Call& c) { affine_forward(c.stream, c.out[0], c.in[0], c.in[1], c.in[2], a, c.workspace); },
            affine_workspace_bytes(device, in[0].shape)};
  }
  bool in_place(int i, int) const override { return i == 0; }
  Cost cost(Specs in, Specs out) const override {
    return moving(in, out, 3.0 * static_cast<double>(in[0].shape.elements()));
  }

 private:
  Activation a_;
};

}  // namespace

std::optional<BatchNormHalves> batch_norm_halves(const Op& op, Specs in) {
  const auto* norm = dynamic_cast<const BatchNormOp*>(&op);
  return norm ? std::optional(norm->halves(in[0].shape.pixels())) : std::nullopt;
}

Value batch_norm(Value x, const BatchNorm& bn, Activation a) {
  return x.graph
      ->apply(std::make_shared<const BatchNormOp>(bn.eps, bn.momentum, a),
              {x, bn.gamma, bn.beta, bn.running_mean, bn.running_var})
      .front();
}

Value affine(Value x, Value scale, Value shift, Activation a) { return apply<Affine>(*x.graph, {x, scale, shift}, a); }

}  // namespace ipa
