#include "nets/layers.h"

#include <cmath>

#include "engine/transfer.h"

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

Value Layers::parameter(const std::string& full_name, const Shape& shape, Role role, Init init, DType dtype) {
  const TensorSpec spec = parameters_.declare(full_name, shape, role, init).spec(dtype);
  if (const auto found = values_.find(full_name); found != values_.end()) return found->second;
  if (role == Role::kernel) compute_ = dtype;
  return values_[full_name] = graph_.state(full_name, spec);
}

Value Layers::conv(Value x, const std::string& name, std::int64_t out, int kernel, ConvAttributes attributes,
                   Activation a, Init init) {
  const Graph::Scope scope(graph_, name);
  const Value w =
      parameter(prefix_ + name + ".weight", {out, kernel, kernel, x.shape().c}, Role::kernel, init, x.spec().dtype);
  const Value b = parameter(prefix_ + name + ".bias", vector_shape(out), Role::vector, Init::zero);
  return ipa::conv(x, w, b, attributes, a);
}

Value Layers::up(Value x, const std::string& name, std::int64_t out) {
  const Graph::Scope scope(graph_, name);
  const Value w =
      parameter(prefix_ + name + ".weight", {x.shape().c, 2, 2, out}, Role::kernel, conv_init_, x.spec().dtype);
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

Layers::MultiresEnd Layers::multires_end_parts(Value input, std::int64_t channels) {
  MultiresEnd end{.shortcut = batch_norm_of("shortcut.bn", channels, false),
                  .concat = batch_norm_of("bn_concat", channels, true),
                  .out = batch_norm_of("bn_out", channels, true)};
  const bool folds = mode_ == Mode::inference;  // then bn_concat's shift goes into the shortcut's bias
  end.shortcut_conv = raw_conv(input, "shortcut", channels, 1, {}, {}, folds ? prefix_ + "bn_concat" : "");
  return end;
}

Value Layers::multires_end(Value input, Value f1, Value f2, Value f3) {
  const MultiresEnd e = multires_end_parts(input, f1.shape().c + f2.shape().c + f3.shape().c);
  if (mode_ == Mode::training) return multires_tail(f1, f2, f3, e.shortcut_conv, e.shortcut, e.concat, e.out);
  return multires_tail_folded(f1, f2, f3, e.shortcut_conv, e.concat.gamma, e.out.gamma, e.out.beta);
}

Pooled Layers::multires_end_pooled(Value input, Value f1, Value f2, Value f3) {
  const MultiresEnd e = multires_end_parts(input, f1.shape().c + f2.shape().c + f3.shape().c);
  if (mode_ == Mode::training) return multires_tail_pooled(f1, f2, f3, e.shortcut_conv, e.shortcut, e.concat, e.out);
  return multires_tail_pooled_folded(f1, f2, f3, e.shortcut_conv, e.concat.gamma, e.out.gamma, e.out.beta);
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
  BatchNorm bn;
  bn.gamma = folded({shape}, [=, this] { return scale_shift(full).scale; });
  bn.beta = folded({shape}, [=, this] { return scale_shift(full).shift; });
  return bn;
}

Layers::ScaleShift Layers::scale_shift(const std::string& full_name) const {
  auto values = [&](const char* what) { return to_host(parameters_.value(full_name + what)); };
  const std::vector<float> beta = values(".bias"), mean = values(".running_mean"), var = values(".running_var");
  const std::size_t channels = beta.size();
  const std::vector<float> gamma =
      parameters_.has(full_name + ".weight") ? values(".weight") : std::vector<float>(channels, 1.0f);
  ScaleShift result{std::vector<float>(channels), std::vector<float>(channels)};
  for (std::size_t c = 0; c < channels; ++c) {
    const double scale = gamma[c] / std::sqrt(double{var[c]} + style_.eps);
    result.scale[c] = static_cast<float>(scale);
    result.shift[c] = static_cast<float>(beta[c] - mean[c] * scale);
  }
  return result;
}

Value Layers::folded(const TensorSpec& spec, std::function<std::vector<float>()> compute) {
  folded_.push_back({graph_.state("folded", spec), std::move(compute)});
  return folded_.back().state;
}

Value Layers::raw_conv(Value x, const std::string& name, std::int64_t out, int kernel, ConvAttributes attributes,
                       Activation a, const std::string& shift_bn) {
  const std::string full = prefix_ + name;
  const Shape shape{out, kernel, kernel, x.shape().c};
  if (mode_ == Mode::training)
    return ipa::conv(x, parameter(full + ".conv.weight", shape, Role::kernel, conv_init_, x.spec().dtype), {},
                     attributes, a);

  parameters_.declare(full + ".conv.weight", shape, Role::kernel, conv_init_);
  const Value w = folded({shape, x.spec().dtype, true}, [=, this] {
    std::vector<float> weights = to_host(parameters_.value(full + ".conv.weight"));
    const std::vector<float> scale = scale_shift(full + ".bn").scale;
    const std::size_t per_filter = weights.size() / scale.size();
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] *= scale[i / per_filter];
    return weights;
  });
  const Value b = folded({vector_shape(out)}, [=, this] {
    std::vector<float> shift = scale_shift(full + ".bn").shift;
    if (!shift_bn.empty()) {
      const std::vector<float> more = scale_shift(shift_bn).shift;
      for (std::size_t c = 0; c < shift.size(); ++c) shift[c] += more[c];
    }
    return shift;
  });
  return ipa::conv(x, w, b, attributes, a);
}

void Layers::bind(Program::Bindings& bindings) {
  for (const auto& [name, value] : values_)
    bindings[value.id] = value.spec().dtype == DType::bf16 ? parameters_.copy(name) : parameters_.value(name);
  for (const Parameters::Entry& e : parameters_.entries())
    if (const auto found = gradients_.find(e.name); found != gradients_.end())
      bindings[found->second.id] = parameters_.gradient(e);
  if (flat_) {
    bindings[flat_->values.id] = parameters_.flat_values();
    bindings[flat_->gradients.id] = parameters_.flat_gradients();
    bindings[flat_->m.id] = parameters_.flat_m();
    bindings[flat_->v.id] = parameters_.flat_v();
    bindings[flat_->updates.id] = parameters_.updates();
    if (flat_->copy) bindings[flat_->copy.id] = parameters_.flat_copy();
  }
  for (const Bucket& b : buckets_) bindings[b.state.id] = parameters_.gradient_range(b.first, b.count);
  for (const Value& r : reports_)
    bindings[r.id] = parameters_.gradient_range(parameters_.flat_spec().shape.c, r.shape().c);
  if (statistics_) bindings[statistics_.id] = parameters_.flat_statistics();
  std::size_t bytes = 0;
  for (const Folded& f : folded_) bytes += room(f.state.spec());
  if (!folded_.empty()) folded_buffer_ = Buffer(parameters_.network() + " folded", bytes, parameters_.device());
  std::size_t offset = 0;
  for (const Folded& f : folded_) {
    bindings[f.state.id] = folded_buffer_.tensor(f.state.spec(), offset);
    offset += room(f.state.spec());
  }
}

std::size_t Layers::room(const TensorSpec& folded) const {
  return (bytes_on(parameters_.device(), folded) + 63) / 64 * 64;
}

void Layers::fold() {
  std::size_t offset = 0;
  for (const Folded& f : folded_) {
    from_host(f.compute(), folded_buffer_.tensor(f.state.spec(), offset));
    offset += room(f.state.spec());
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
    auto state = [&](const char* what, const TensorSpec& s) { return graph_.state(parameters_.network() + what, s); };
    flat_ = {
        state(" values", spec),           state(" gradients", spec), state(" Adam m", spec), state(" Adam v", spec), {},
        state(" updates", {scalar_shape})};
    if (compute_ == DType::bf16) flat_->copy = state(" copy", parameters_.flat_spec(compute_));
  }
  return *flat_;
}

}  // namespace ipa
