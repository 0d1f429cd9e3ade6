#include "kernels/training_pairs.h"

#include "graph/ops.h"

namespace ipa {
namespace {

class MakePairs final : public Op {
 public:
  MakePairs(PairAttributes attributes, DType compute) : attributes_(attributes), compute_(compute) {}
  std::string name() const override { return "training pairs"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    const Shape& s = in[0].shape;
    require(s.h == 1 && s.w == s.c && s.c % 8 == 0 && (in[0].dtype == DType::u8 || in[0].dtype == DType::f32),
            "training_pairs: slices are (count, 1, S, S), u8 or f32, S a multiple of 8");
    require(in[1].shape.c == 0 || (in[1].shape == Shape{in[1].shape.n, 1, s.w, s.c} && in[1].dtype == DType::u8),
            "training_pairs: masks are (M, 1, S, S) u8");
    require(in[2].shape == vector_shape(in[2].shape.c) && in[2].dtype == DType::i32 && in[3].shape == scalar_shape &&
                in[3].dtype == DType::i32,
            "training_pairs: order is (1, 1, 1, N) and step a scalar, both i32");
    const TensorSpec image{{in[2].shape.c, s.c, s.c, 1}, compute_};
    return {image, image, image};
  }
  Launch prepare(Device, Specs, Specs out) const override {
    return {[a = attributes_](const Call& c) {
              make_training_pairs(c.stream, c.out[0], c.out[1], c.out[2], c.in[0], c.in[1], c.in[2], c.in[3], a,
                                  c.workspace);
            },
            training_pairs_workspace_bytes(out[0].shape)};
  }
  Cost cost(Specs in, Specs out) const override {  // of all slices and masks only the batch's are read
    const auto pixels = static_cast<double>(out[0].shape.pixels());
    double bytes = pixels * static_cast<double>(size_of(in[0].dtype) + (in[1].shape.c ? size_of(in[1].dtype) : 0));
    for (const TensorSpec& o : out) bytes += static_cast<double>(o.bytes());
    return {bytes, 0};
  }

 private:
  PairAttributes attributes_;
  DType compute_;
};

}  // namespace

TrainingPairs training_pairs(Value slices, Value masks, Value order, Value step, PairAttributes attributes,
                             DType compute) {
  const std::vector<Value> made =
      slices.graph->apply(std::make_shared<const MakePairs>(attributes, compute), {slices, masks, order, step});
  return {made[0], made[1], made[2]};
}

}  // namespace ipa
