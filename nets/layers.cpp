#include "nets/layers.h"

#include <cmath>

namespace ipa {

Layers::Layers(Graph& graph, Parameters& parameters, Mode mode, BatchNormStyle style, Init conv_init)
    : graph_(graph),
      parameters_(parameters),
      mode_(mode),
      style_(style),
      conv_init_(conv_init),
      prefix_(parameters.network() + ".") {}

Layers::Scope::Scope(Layers& layers, const std::string& name)
    : layers_(layers), length_(layers.prefix_.size()), graph_scope_(layers.graph_, name) {
  layers.prefix_ += name + ".";
}

Value Layers::parameter(const std::string& full_name, const Shape& shape, Role role, Init init) {
  parameters_.declare(full_name, shape, role, init);
  if (const auto found = values_.find(full_name); found != values_.end()) return found->second;
  return values_[full_name] = graph_.state(full_name, {shape});
}

Value Layers::conv(Value x, const std::string& name, std::int64_t out, int kernel, ConvAttributes attributes,
                   Activation a, Init init) {
  const Graph::Scope scope(graph_, name);
  const Value w = parameter(prefix_ + name + ".weight", {out, kernel, kernel, x.shape().c}, Role::kernel, init);
  const Value b = parameter(prefix_ + name + ".bias", vector_shape(out), Role::vector, Init::zero);
  return ipa::conv(x, w, b, attributes, a);
}

Value Layers::up(Value x, const std::string& name, std::int64_t out) {
  const Graph::Scope scope(graph_, name);
  const Value w = parameter(prefix_ + name + ".weight", {x.shape().c, 2, 2, out}, Role::kernel, conv_init_);
  const Value b = parameter(prefix_ + name + ".bias", vector_shape(out), Role::vector, Init::zero);
  return conv_transpose(x, w, b, {.stride = 2});
}

Value Layers::conv_bn(Value x, const std::string& name, std::int64_t out, int kernel, ConvAttributes attributes,
                      bool gamma, Activation a) {
  const Graph::Scope scope(graph_, name);
  const BatchNorm bn = batch_norm_of(name + ".bn", out, gamma);
  if (mode_ == Mode::inference) return raw_conv(x, name, out, kernel, attributes, a);
  return batch_norm(raw_conv(x, name, out, kernel, attributes, {}), bn, a);
}

Value Layers::multires_end(Value input, Value f1, Value f2, Value f3) {
  const std::int64_t channels = f1.shape().c + f2.shape().c + f3.shape().c;
  const BatchNorm bn_shortcut = batch_norm_of("shortcut.bn", channels, false);
  const BatchNorm bn_concat = batch_norm_of("bn_concat", channels, true);
  const BatchNorm bn_out = batch_norm_of("bn_out", channels, true);
  if (mode_ == Mode::training)
    return multires_tail(f1, f2, f3, raw_conv(input, "shortcut", channels, 1, {}, {}), bn_shortcut, bn_concat, bn_out);
  const Value shortcut = raw_conv(input, "shortcut", channels, 1, {}, {}, prefix_ + "bn_concat");
  return multires_tail_folded(f1, f2, f3, shortcut, bn_concat.gamma, bn_out.gamma, bn_out.beta);
}

Value Layers::respath_unit(Value input, std::int64_t out) {
  const BatchNorm bn_shortcut = batch_norm_of("shortcut.bn", out, false);
  const BatchNorm bn_conv = batch_norm_of("conv.bn", out, false);
  const BatchNorm bn_out = batch_norm_of("bn", out, true);
  const Value shortcut = raw_conv(input, "shortcut", out, 1, {}, {});
  const Value residual = raw_conv(input, "conv", out, 3, {.pad = 1}, {});
  if (mode_ == Mode::training) return respath_tail(shortcut, residual, bn_shortcut, bn_conv, bn_out);
  return respath_tail_folded(shortcut, residual, bn_out.gamma, bn_out.beta);
}

// In inference the scale and shift that batch norm amounts to stand in for gamma and beta.
BatchNorm Layers::batch_norm_of(const std::string& name, std::int64_t channels, bool gamma) {
  const std::string full = prefix_ + name;
  const Shape shape = vector_shape(channels);
  if (mode_ == Mode::training) {
    BatchNorm bn;
    if (gamma) bn.gamma = parameter(full + ".weight", shape, Role::vector, style_.gamma);
    bn.beta = parameter(full + ".bias", shape, Role::vector, Init::zero);
    bn.running_mean = parameter(full + ".running_mean", shape, Role::statistic, Init::zero);
    bn.running_var = parameter(full + ".running_var", shape, Role::statistic, Init::one);
    bn.eps = style_.eps;
    bn.momentum = style_.momentum;
    return bn;
  }
  if (gamma) parameters_.declare(full + ".weight", shape, Role::vector, style_.gamma);
  parameters_.declare(full + ".bias", shape, Role::vector, Init::zero);
  parameters_.declare(full + ".running_mean", shape, Role::statistic, Init::zero);
  parameters_.declare(full + ".running_var", shape, Role::statistic, Init::one);
  auto copy = [](const std::vector<float>& from, const Tensor& to) { std::copy(from.begin(), from.end(), to.f32()); };
  BatchNorm bn;
  bn.gamma = folded(shape, [=, this](const Tensor& t) { copy(scale_shift(full).scale, t); });
  bn.beta = folded(shape, [=, this](const Tensor& t) { copy(scale_shift(full).shift, t); });
  return bn;
}

Layers::ScaleShift Layers::scale_shift(const std::string& full_name) const {
  const Tensor beta = parameters_.value(full_name + ".bias"), mean = parameters_.value(full_name + ".running_mean"),
               var = parameters_.value(full_name + ".running_var");
  const float* gamma =
      parameters_.has(full_name + ".weight") ? parameters_.value(full_name + ".weight").f32() : nullptr;
  const auto channels = static_cast<std::size_t>(beta.elements());
  ScaleShift result{std::vector<float>(channels), std::vector<float>(channels)};
  for (std::size_t c = 0; c < channels; ++c) {
    const double scale = (gamma ? gamma[c] : 1.0f) / std::sqrt(double{var.f32()[c]} + style_.eps);
    result.scale[c] = static_cast<float>(scale);
    result.shift[c] = static_cast<float>(beta.f32()[c] - mean.f32()[c] * scale);
  }
  return result;
}

Value Layers::folded(const Shape& shape, std::function<void(const Tensor&)> compute) {
  folded_.push_back({graph_.state("folded", {shape}), std::move(compute)});
  return folded_.back().state;
}

Value Layers::raw_conv(Value x, const std::string& name, std::int64_t out, int kernel, ConvAttributes attributes,
                       Activation a, const std::string& shift_bn) {
  const std::string full = prefix_ + name;
  const Shape shape{out, kernel, kernel, x.shape().c};
  if (mode_ == Mode::training)
    return ipa::conv(x, parameter(full + ".conv.weight", shape, Role::kernel, conv_init_), {}, attributes, a);

  parameters_.declare(full + ".conv.weight", shape, Role::kernel, conv_init_);
  const Value w = folded(shape, [=, this](const Tensor& t) {
    const float* raw = parameters_.value(full + ".conv.weight").f32();
    const std::vector<float> scale = scale_shift(full + ".bn").scale;
    const std::int64_t per_filter = shape.elements() / out;
    for (std::int64_t i = 0; i < shape.elements(); ++i)
      t.f32()[i] = raw[i] * scale[static_cast<std::size_t>(i / per_filter)];
  });
  const Value b = folded(vector_shape(out), [=, this](const Tensor& t) {
    std::vector<float> shift = scale_shift(full + ".bn").shift;
    if (!shift_bn.empty()) {
      const std::vector<float> more = scale_shift(shift_bn).shift;
      for (std::size_t c = 0; c < shift.size(); ++c) shift[c] += more[c];
    }
    std::copy(shift.begin(), shift.end(), t.f32());
  });
  return ipa::conv(x, w, b, attributes, a);
}

void Layers::bind(Program::Bindings& bindings) {
  for (const auto& [name, value] : values_) bindings[value.id] = parameters_.value(name);
  for (const Parameters::Entry& e : parameters_.entries())
    if (const auto found = gradients_.find(e.name); found != gradients_.end())
      bindings[found->second.id] = parameters_.gradient(e);
  if (flat_) {
    bindings[flat_->values.id] = parameters_.flat_values();
    bindings[flat_->gradients.id] = parameters_.flat_gradients();
    bindings[flat_->m.id] = parameters_.flat_m();
    bindings[flat_->v.id] = parameters_.flat_v();
  }
  for (const Bucket& b : buckets_) bindings[b.state.id] = parameters_.gradient_range(b.first, b.count);
  for (const Value& r : reports_)
    bindings[r.id] = parameters_.gradient_range(parameters_.flat_spec().shape.c, r.shape().c);
  if (statistics_) bindings[statistics_.id] = parameters_.flat_statistics();
  auto room = [](const Folded& f) { return (f.state.spec().bytes() + 63) / 64 * 64; };
  std::size_t bytes = 0;
  for (const Folded& f : folded_) bytes += room(f);
  if (!folded_.empty()) folded_buffer_ = Buffer(parameters_.network() + " folded", bytes);
  std::size_t offset = 0;
  for (const Folded& f : folded_) {
    bindings[f.state.id] = folded_buffer_.tensor(f.state.spec(), offset);
    offset += room(f);
  }
}

void Layers::fold() {
  std::size_t offset = 0;
  for (const Folded& f : folded_) {
    f.compute(folded_buffer_.tensor(f.state.spec(), offset));
    offset += (f.state.spec().bytes() + 63) / 64 * 64;
  }
}

std::vector<Value> Layers::trainable() const {
  std::vector<Value> all;
  for (const Parameters::Entry& e : parameters_.entries())
    if (e.trainable()) all.push_back(values_.at(e.name));
  return all;
}

const Layers::Flat& Layers::flat() {
  if (!flat_) {
    const TensorSpec spec = parameters_.flat_spec();
    auto state = [&](const char* what) { return graph_.state(parameters_.network() + what, spec); };
    flat_ = {state(" values"), state(" gradients"), state(" Adam m"), state(" Adam v")};
  }
  return *flat_;
}

}  // namespace ipa
