#include "nets/multires_unet.h"

#include <string>

namespace ipa {
namespace {

// The block, whose last part is `end`: multires_end or multires_end_pooled.
template <class End>
auto with_multires_block(Layers& layers, Value x, const std::string& name, std::int64_t u, End end) {
  const Layers::Scope scope(layers, name);
  const MultiResWidths w = multires_widths(u);
  const Value f1 = layers.conv_bn(x, "conv_a", w.a, 3, {.pad = 1}, false, relu_activation);
  const Value f2 = layers.conv_bn(f1, "conv_b", w.b, 3, {.pad = 1}, false, relu_activation);
  const Value f3 = layers.conv_bn(f2, "conv_c", w.c, 3, {.pad = 1}, false, relu_activation);
  return (layers.*end)(x, f1, f2, f3);
}

Value multires_block(Layers& layers, Value x, const std::string& name, std::int64_t u) {
  return with_multires_block(layers, x, name, u, &Layers::multires_end);
}

Value respath(Layers& layers, Value x, int level, std::int64_t width, int units) {
  const Layers::Scope scope(layers, "path" + std::to_string(level));
  for (int unit = 1; unit <= units; ++unit) {
    const Layers::Scope unit_scope(layers, "unit" + std::to_string(unit));
    x = layers.respath_unit(x, width);
  }
  return x;
}

Value head_layer(Layers& layers, Value x, Head head) {
  switch (head) {
    case Head::image:
      return layers.conv(x, "head", 1, 1, {}, tanh_activation);
    case Head::image_zeroed:
      return layers.conv(x, "head", 1, 1, {}, tanh_activation, Init::zero);
    case Head::segmentation:
      break;
  }
  return activation(layers.conv_bn(x, "head", 1, 1, {}, false), sigmoid_activation);
}

}  // namespace

MultiResWidths multires_widths(std::int64_t u) {
  const double w = 1.67 * static_cast<double>(u);
  return {static_cast<std::int64_t>(w * 0.167), static_cast<std::int64_t>(w * 0.333),
          static_cast<std::int64_t>(w * 0.5)};
}

Value multires_unet(Layers& layers, Value x, std::int64_t width, Head head) {
  require(x.shape().h % 16 == 0 && x.shape().w % 16 == 0, "multires_unet: height and width must be multiples of 16");
  constexpr int levels = 4;
  std::vector<Value> skips;
  for (int level = 1; level <= levels; ++level) {
    const std::int64_t u = width << (level - 1);
    const Pooled made = with_multires_block(layers, x, "enc" + std::to_string(level), u, &Layers::multires_end_pooled);
    skips.push_back(respath(layers, made.y, level, u, levels + 1 - level));
    x = made.pooled;
  }
  x = multires_block(layers, x, "enc5", width << levels);
  for (int level = levels; level >= 1; --level) {
    const std::string number = std::to_string(2 * levels + 2 - level);  // 6 for the deepest, joined with path 4
    const std::int64_t u = width << (level - 1);
    const Value up = layers.up(x, "up" + number, u);
    x = multires_block(layers, concat({up, skips[static_cast<std::size_t>(level - 1)]}), "dec" + number, u);
  }
  return head_layer(layers, x, head);
}

Value generator(Layers& layers, Value y, const NetOptions& options) {
  Value x = y;
  for (int i = 0; i < 2; ++i) {
    const Layers::Scope scope(layers, std::to_string(i));
    const Value out = multires_unet(layers, x, options.width, options.residual ? Head::image_zeroed : Head::image);
    x = options.residual ? add(out, x) : out;
  }
  return options.residual ? clip(x, -1, 1) : x;
}

void declare_generator(Parameters& parameters, const NetOptions& options) {
  Graph graph;
  Layers layers(graph, parameters, Mode::training, generator_batch_norm(options), Init::glorot_uniform);
  generator(layers, graph.input("y", {{1, 16, 16, 1}}), options);
}

BatchNormStyle generator_batch_norm(const NetOptions& options) {
  return {1e-3f, static_cast<float>(1 - options.bn_momentum), Init::one};
}

}  // namespace ipa
