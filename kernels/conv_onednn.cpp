// Direct convolution by oneDNN. Its kernels take our NHWC tensors as they are, any channel count (its reference code is
// never chosen for packed NHWC), or in its own blocked layout, into and out of which we then reorder; the weights are
// always reordered, they are small. Which is faster, reorders included, was measured for every shape of the networks
// (AVX2, one core of a Zen 4, peak 110 GFLOP/s; NHWC / blocked with reorders):
//   forward  8->17 @256: 60/50, 32->32: 77/77, 64->64 @128: 63/85, 128->17: 32/54, VGG 64->64 @256: 56/80
//   dgrad   17->26 @256: 57/44, 51->32: 41/60, 64->64 @128: 61/85, 128->17: 89/57, VGG 64->64 @256: 62/80
//   wgrad    8->17 @256: 32/44, 51->32: 16/53, 64->64 @128: 44/65, 2->64 4x4 s2: 46/15 (3x3 is our Winograd's today)
//   1x1: NHWC in all three; the reorders cost as much as the work
// The rules below follow from that. They look at nothing but the shape, so that a run repeats bit by bit.
#include <algorithm>
#include <array>
#include <memory>

#include "kernels/conv.h"
#include "kernels/onednn.h"
#include "kernels/pointwise.h"

namespace ipa {
namespace {

using dnnl::memory;
using Desc = memory::desc;
using Tag = memory::format_tag;

enum class Pass { forward, dgrad, wgrad };

bool blocked_is_faster(Pass pass, const ConvGeometry& g, onednn::Layout layout) {
  if (layout != onednn::Layout::by_shape) return layout == onednn::Layout::blocked;
  const std::int64_t least = std::min(g.x.c, g.y.c), most = std::max(g.x.c, g.y.c);
  if (g.w.h * g.w.w == 1 || least < 8) return false;
  switch (pass) {
    case Pass::forward:
      return most >= 64;
    case Pass::dgrad:
      return least >= 32 && most > 32;
    case Pass::wgrad:
      break;
  }
  return true;
}

// Descriptors of one convolution: `plain` as our tensors lie, `free` as oneDNN may choose.
struct Layouts {
  Desc x, w, y, free_x, free_w, free_y;
  memory::dims strides, dilations, padding;
};

Layouts layouts(const ConvGeometry& g, bool blocked) {
  const auto f32 = memory::data_type::f32;
  auto activations = [&](const Shape& s, Tag tag) { return Desc({s.n, s.c, s.h, s.w}, f32, tag); };
  auto weights = [&](Tag tag) { return Desc({g.w.n, g.w.c, g.w.h, g.w.w}, f32, tag); };
  const Tag tag = blocked ? Tag::any : Tag::nhwc;
  return {activations(g.x, Tag::nhwc),
          weights(Tag::ohwi),
          activations(g.y, Tag::nhwc),
          activations(g.x, tag),
          weights(Tag::any),
          activations(g.y, tag),
          {g.stride, g.stride},
          {g.dilation - 1, g.dilation - 1},
          {g.pad, g.pad}};
}

dnnl::convolution_forward::primitive_desc forward_primitive(const Layouts& l, const ConvGeometry& g, bool bias,
                                                            const dnnl::primitive_attr& attributes) {
  const auto kind = dnnl::prop_kind::forward_training;
  const auto direct = dnnl::algorithm::convolution_direct;
  const Desc b({g.y.c}, memory::data_type::f32, Tag::a);
  if (bias)
    return {{kind, direct, l.free_x, l.free_w, b, l.free_y, l.strides, l.dilations, l.padding, l.padding},
            attributes,
            onednn_engine()};
  return {{kind, direct, l.free_x, l.free_w, l.free_y, l.strides, l.dilations, l.padding, l.padding},
          attributes,
          onednn_engine()};
}

// oneDNN's own ReLU is max(x, 0), which turns a NaN into 0: ours then runs over the output instead. The others keep it.
bool fuse(Activation a, dnnl::primitive_attr& attributes) {
  using Kind = Activation::Kind;
  if (a.kind == Kind::none) return true;
  if (a.kind == Kind::relu || (a.kind == Kind::leaky_relu && a.slope == 0)) return false;
  dnnl::post_ops after;
  after.append_eltwise(1.0f,
                       a.kind == Kind::leaky_relu ? dnnl::algorithm::eltwise_relu
                       : a.kind == Kind::tanh     ? dnnl::algorithm::eltwise_tanh
                                                  : dnnl::algorithm::eltwise_logistic,
                       a.slope, 0.0f);
  attributes.set_post_ops(after);
  return true;
}

// Adds the primitive between the reorders of its inputs and output. Operand 0 is the output.
template <class Primitive, class PrimitiveDesc>
void add(OnednnSequence& sequence, const PrimitiveDesc& p, std::pair<int, std::pair<Desc, Desc>> out,
         std::vector<std::pair<int, std::pair<Desc, Desc>>> in) {
  std::vector<std::pair<int, int>> arguments;
  int index = 0;
  const auto& [out_argument, out_layouts] = out;
  const int result = sequence.operand(out_layouts.first, index++);
  const int made = out_layouts.first == out_layouts.second ? result : sequence.temporary(out_layouts.second);
  for (const auto& [argument, l] : in)
    arguments.emplace_back(argument, sequence.as(l.second, sequence.operand(l.first, index++)));
  arguments.emplace_back(out_argument, made);
  sequence.add(Primitive(p), p.scratchpad_desc(), std::move(arguments));
  sequence.add_reorder(made, result);
}

}  // namespace

namespace onednn {

PreparedConv<Tensor, Tensor, Tensor, Tensor> prepare_conv(const ConvGeometry& g, bool bias, Activation a,
                                                          Layout layout) {
  dnnl::primitive_attr attributes = OnednnSequence::attributes();
  const bool fused = fuse(a, attributes);
  const Layouts l = layouts(g, blocked_is_faster(Pass::forward, g, layout));
  const auto p = forward_primitive(l, g, bias, attributes);
  auto sequence = std::make_shared<OnednnSequence>();
  std::vector<std::pair<int, std::pair<Desc, Desc>>> in{{DNNL_ARG_SRC, {l.x, p.src_desc()}},
                                                        {DNNL_ARG_WEIGHTS, {l.w, p.weights_desc()}}};
  if (bias) in.push_back({DNNL_ARG_BIAS, {p.bias_desc(), p.bias_desc()}});
  add<dnnl::convolution_forward>(*sequence, p, {DNNL_ARG_DST, {l.y, p.dst_desc()}}, in);
  return {[=](Stream& stream, Tensor y, Tensor x, Tensor w, Tensor b, void* workspace) {
            sequence->run(std::array{y.data, x.data, w.data, b.data}, workspace);
            if (!fused) activation_forward(stream, y, y, a);
          },
          sequence->workspace_bytes()};
}

PreparedConv<Tensor, Tensor, Tensor> prepare_conv_dgrad(const ConvGeometry& g, Layout layout) {
  const dnnl::primitive_attr attributes = OnednnSequence::attributes();
  const Layouts l = layouts(g, blocked_is_faster(Pass::dgrad, g, layout));
  const dnnl::convolution_backward_data::primitive_desc p(
      {dnnl::algorithm::convolution_direct, l.free_x, l.free_w, l.free_y, l.strides, l.dilations, l.padding, l.padding},
      attributes, onednn_engine(), forward_primitive(l, g, false, attributes));
  auto sequence = std::make_shared<OnednnSequence>();
  add<dnnl::convolution_backward_data>(
      *sequence, p, {DNNL_ARG_DIFF_SRC, {l.x, p.diff_src_desc()}},
      {{DNNL_ARG_DIFF_DST, {l.y, p.diff_dst_desc()}}, {DNNL_ARG_WEIGHTS, {l.w, p.weights_desc()}}});
  return {[sequence](Stream&, Tensor dx, Tensor dy, Tensor w, void* workspace) {
            sequence->run(std::array{dx.data, dy.data, w.data}, workspace);
          },
          sequence->workspace_bytes()};
}

PreparedConv<Tensor, Tensor, Tensor> prepare_conv_wgrad(const ConvGeometry& g, Layout layout) {
  const dnnl::primitive_attr attributes = OnednnSequence::attributes();
  const Layouts l = layouts(g, blocked_is_faster(Pass::wgrad, g, layout));
  const dnnl::convolution_backward_weights::primitive_desc p(
      {dnnl::algorithm::convolution_direct, l.free_x, l.free_w, l.free_y, l.strides, l.dilations, l.padding, l.padding},
      attributes, onednn_engine(), forward_primitive(l, g, false, attributes));
  auto sequence = std::make_shared<OnednnSequence>();
  add<dnnl::convolution_backward_weights>(
      *sequence, p, {DNNL_ARG_DIFF_WEIGHTS, {l.w, p.diff_weights_desc()}},
      {{DNNL_ARG_SRC, {l.x, p.src_desc()}}, {DNNL_ARG_DIFF_DST, {l.y, p.diff_dst_desc()}}});
  return {[sequence](Stream&, Tensor dw, Tensor x, Tensor dy, void* workspace) {
            sequence->run(std::array{dw.data, x.data, dy.data}, workspace);
          },
          sequence->workspace_bytes()};
}

}  // namespace onednn
}  // namespace ipa
