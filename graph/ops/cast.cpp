#include "kernels/cast.h"

#include "graph/ops.h"

namespace ipa {
namespace {

void require_number(DType t) { require(t == DType::f32 || t == DType::bf16, "cast: only between f32 and bf16"); }

class Cast final : public Op {
 public:
  explicit Cast(DType to) : to_(to) {}
  std::string name() const override { return std::string("cast to ") + to_string(to_); }
  std::vector<TensorSpec> infer(Specs in) const override {
    require_number(in[0].dtype);
    require_number(to_);
    return {{in[0].shape, to_, in[0].filter}};
  }
  Launch prepare(Device, Specs, Specs) const override {
    return {[](const Call& c) { cast_tensor(c.stream, c.out[0], c.in[0]); }};
  }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>&) const override {
    return {cast(dout[0], in[0].spec().dtype)};
  }

 private:
  DType to_;
};

class RowsToImage final : public Op {
 public:
  explicit RowsToImage(DType to) : to_(to) {}
  std::string name() const override { return "rows to image"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    const Shape& s = in[0].shape;
    require(in[0].dtype == DType::f32 && s.w == 1 && s.c % 8 == 0, "rows to image: f32 rows (N, H, 1, 8 k)");
    require_number(to_);
    return {{{s.n, s.h, s.c, 1}, to_}};
  }
  Launch prepare(Device, Specs, Specs) const override {
    return {[](const Call& c) { image_from_rows(c.stream, c.out[0], c.in[0]); }};
  }
  std::vector<Value> vjp(Values, Values, Values dout, const std::vector<bool>&) const override {
    return {image_to_rows(dout[0])};
  }

 private:
  DType to_;
};

class ImageToRows final : public Op {
 public:
  std::string name() const override { return "image to rows"; }
  std::vector<TensorSpec> infer(Specs in) const override {
    const Shape& s = in[0].shape;
    require(s.c == 1 && s.w % 8 == 0, "image to rows: an image (N, H, 8 k, 1)");
    require_number(in[0].dtype);
    return {{{s.n, s.h, 1, s.w}, DType::f32}};
  }
  Launch prepare(Device, Specs, Specs) const override {
    return {[](const Call& c) { rows_from_image(c.stream, c.out[0], c.in[0]); }};
  }
  std::vector<Value> vjp(Values in, Values, Values dout, const std::vector<bool>&) const override {
    return {rows_to_image(dout[0], in[0].spec().dtype)};
  }
};

}  // namespace

Value cast(Value x, DType to) { return x.spec().dtype == to ? x : apply<Cast>(*x.graph, {x}, to); }
Value rows_to_image(Value rows, DType to) { return apply<RowsToImage>(*rows.graph, {rows}, to); }
Value image_to_rows(Value image) { return apply<ImageToRows>(*image.graph, {image}); }

}  // namespace ipa
