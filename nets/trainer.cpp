#include "nets/trainer.h"

#include <algorithm>
#include <cmath>

namespace ipa {

Trainer::Trainer(Gan& gan, const StepOptions& options, Comm* comm)
    : options_(options), comm_(comm), graph_(std::make_unique<StepGraph>(gan, options, comm)) {
  gan.generator.allocate(true);
  gan.disc_global.allocate(true);
  gan.disc_patch.allocate(true);
  if (options.loss.style > 0 && !gan.vgg19.allocated()) gan.vgg19.allocate(false);
  Program::Bindings bindings;
  for (Layers* layers : {&graph_->generator_layers, &graph_->global_layers, &graph_->patch_layers, &graph_->vgg_layers})
    layers->bind(bindings);
  program_ = std::make_unique<Program>(graph_->graph, plan(graph_->graph, graph_->outputs()), bindings);
}

void Trainer::set_rates(Value rates, std::int64_t t, double lr) const {
  const double steps = static_cast<double>(t);
  float* r = program_->tensor(rates).f32();
  r[0] = static_cast<float>(lr / (1 - std::pow(options_.optimizer.beta1, steps)));
  r[1] = static_cast<float>(1 / std::sqrt(1 - std::pow(options_.optimizer.beta2, steps)));
}

void Trainer::set_weights() const {
  const LossOptions& loss = options_.loss;
  const Tensor weights = program_->tensor(graph_->weights);
  float* w = weights.f32();
  auto set = [&](int first, std::int64_t count, double value) {
    for (std::int64_t i = 0; first >= 0 && i < count; ++i) w[first + i] = static_cast<float>(value);
  };
  const double warm = loss.style_warmup > 0
                          ? std::min(1.0, static_cast<double>(state_.step) / static_cast<double>(loss.style_warmup))
                          : 1.0;
  set(graph_->adversarial_global, 1, loss.adversarial);
  set(graph_->adversarial_patch, 1, loss.adversarial);
  set(graph_->l1, 1, loss.perceptual);
  set(graph_->first_perceptual, perceptual_layers, loss.perceptual);
  set(graph_->first_style, loss.style_layers, loss.style * warm);
  set(graph_->hole, 1, loss.hole);
}

StepMetrics Trainer::step(double progress) {
  const OptimizerOptions& o = options_.optimizer;
  const double lr = o.decay > 0 ? o.lr * std::pow(std::max(0.0, 1 - progress), o.decay) : o.lr;
  set_weights();
  set_rates(graph_->global.rates, state_.adam_global + 1, lr);
  set_rates(graph_->patch.rates, state_.adam_patch + 1, lr);
  for (std::size_t k = 0; k < graph_->generator.size(); ++k)
    set_rates(graph_->generator[k].rates, state_.adam_generator + 1 + static_cast<std::int64_t>(k), lr);
  if (comm_) comm_->alive();
  program_->run(stream_);
  if (comm_) comm_->check();  // before the numbers are believed

  StepMetrics metrics = read();
  auto count = [&](const StepGraph::Update& u, std::int64_t& t) {
    if (scalar(u.enabled) != 0)
      ++t;
    else
      metrics.finite = false;
  };
  count(graph_->global, state_.adam_global);
  count(graph_->patch, state_.adam_patch);
  for (const StepGraph::Update& u : graph_->generator) count(u, state_.adam_generator);
  ++state_.step;
  return metrics;
}

float Trainer::term(std::int64_t i) const {
  if (const Value report = graph_->generator.front().report) return program_->tensor(report).f32()[1 + i];
  return scalar(graph_->terms[static_cast<std::size_t>(i)]);
}

StepMetrics Trainer::read() const {
  auto sum = [&](int first, std::int64_t count) {
    double total = 0;
    for (std::int64_t i = 0; first >= 0 && i < count; ++i) total += term(first + i);
    return total;
  };
  StepMetrics m;
  m.d_global = scalar(graph_->global.loss);
  m.d_patch = scalar(graph_->patch.loss);
  m.adversarial = sum(graph_->adversarial_global, 1) + sum(graph_->adversarial_patch, 1);
  m.l1 = sum(graph_->l1, 1);
  if (graph_->first_perceptual >= 0) m.perceptual = m.l1 + sum(graph_->first_perceptual, perceptual_layers);
  m.style = sum(graph_->first_style, options_.loss.style_layers);
  m.hole = sum(graph_->hole, 1);
  m.total = scalar(graph_->generator.front().loss);
  m.grad_norm_g = std::sqrt(scalar(graph_->generator.front().squared_norm));
  m.grad_norm_d_global = std::sqrt(scalar(graph_->global.squared_norm));
  m.grad_norm_d_patch = std::sqrt(scalar(graph_->patch.squared_norm));
  return m;
}

}  // namespace ipa
