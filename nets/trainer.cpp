#include "nets/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/machine.h"
#include "engine/transfer.h"

namespace ipa {
namespace {
constexpr std::size_t place_bytes = 64;  // of a scalar in the report and in the controls, and what all is aligned to
constexpr std::size_t placed(std::size_t bytes) { return (bytes + place_bytes - 1) / place_bytes * place_bytes; }
}  // namespace

Trainer::Trainer(Gan& gan, const StepOptions& options, Comm* comm, const std::optional<TrainingData>& data)
    : options_(options),
      gan_(gan),
      comm_(comm),
      graph_(std::make_unique<StepGraph>(gan, options, comm, data)),
      stream_(gan.generator.device()) {
  const Device device = gan.generator.device();
  for (Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch}) p->allocate(true, options.compute);
  if (options.loss.style > 0 && !gan.vgg19.allocated()) gan.vgg19.allocate(false, options.compute);
  Program::Bindings bindings;
  for (Layers* layers : {&graph_->generator_layers, &graph_->global_layers, &graph_->patch_layers, &graph_->vgg_layers})
    layers->bind(bindings);

  weights_at_ = place_bytes;
  step_at_ = weights_at_ + placed(bytes_on(device, graph_->weights.spec()));
  order_at_ = step_at_ + place_bytes;
  const std::size_t order_bytes = data ? bytes_on(device, graph_->order.spec()) : 0;
  controls_ = Buffer("controls of a step", order_at_ + order_bytes, device);
  bindings[graph_->lr.id] = controls_.tensor({scalar_shape});
  bindings[graph_->weights.id] = controls_.tensor(graph_->weights.spec(), weights_at_);
  if (data) {
    bindings[graph_->step.id] = controls_.tensor(graph_->step.spec(), step_at_);
    bindings[graph_->order.id] = controls_.tensor(graph_->order.spec(), order_at_);
    bindings[graph_->slices.id] = data->slices;
    if (data->masks) bindings[graph_->masks.id] = *data->masks;
  }

  const std::vector<Value> scalars = graph_->scalars();
  report_ = Buffer("report of a step", scalars.size() * place_bytes, device);
  for (std::size_t i = 0; i < scalars.size(); ++i) {
    const Value place = graph_->graph.state("report", {scalar_shape});
    graph_->graph.store(scalars[i], place);
    bindings[place.id] = report_.tensor({scalar_shape}, i * place_bytes);
    places_[scalars[i].id] = i * place_bytes;
  }
  graph_->rewrite(device, rewrites_that_fit(memory_of(device).free, gan, options, comm, data));
  program_ =
      std::make_unique<Program>(graph_->graph, plan(graph_->graph, graph_->pictures(), {.device = device}), bindings);
  mailbox_ = std::make_unique<Mailbox>(device, controls_.data(), controls_.bytes(), report_.data(), report_.bytes());
}

Tensor Trainer::mask() const {
  require(!graph_->slices, "trainer: a step does not keep the masks that it makes");
  return program_->tensor(graph_->mask);
}

void Trainer::write_controls(double progress, std::span<const std::int64_t> slices) {
  const OptimizerOptions& o = options_.optimizer;
  const double lr = o.decay > 0 ? o.lr * std::pow(std::max(0.0, 1 - progress), o.decay) : o.lr;
  const LossOptions& loss = options_.loss;
  auto write = [to = mailbox_->outgoing()](std::size_t at, std::int64_t i, auto number) {  // number i of those at `at`
    std::memcpy(to + at + static_cast<std::size_t>(i) * sizeof(number), &number, sizeof(number));
  };
  auto set = [&](int first, std::int64_t count, double value) {
    for (std::int64_t i = 0; first >= 0 && i < count; ++i) write(weights_at_, first + i, static_cast<float>(value));
  };
  const double warm = loss.style_warmup > 0
                          ? std::min(1.0, static_cast<double>(enqueued_) / static_cast<double>(loss.style_warmup))
                          : 1.0;
  set(graph_->adversarial_global, 1, loss.adversarial);
  set(graph_->adversarial_patch, 1, loss.adversarial);
  set(graph_->l1, 1, loss.perceptual);
  set(graph_->first_perceptual, perceptual_layers, loss.perceptual);
  set(graph_->first_style, loss.style_layers, loss.style * warm);
  set(graph_->hole, 1, loss.hole);
  write(0, 0, static_cast<float>(lr));
  if (!graph_->slices) return;
  require(static_cast<std::int64_t>(slices.size()) == options_.batch,
          "trainer: a step takes as many slices as a batch");
  write(step_at_, 0, static_cast<std::int32_t>(enqueued_));
  for (std::int64_t i = 0; i < options_.batch; ++i) {
    const std::int64_t slice = slices[static_cast<std::size_t>(i)];
    require(slice >= 0 && slice < graph_->slices.shape().n, "trainer: no such slice");
    write(order_at_, i, static_cast<std::int32_t>(slice));
  }
}

void Trainer::enqueue(double progress, std::span<const std::int64_t> slices) {
  require(!full(), "trainer: too many steps under way");
  if (comm_) comm_->alive();
  write_controls(progress, slices);
  mailbox_->before_step(stream_);
  program_->run(stream_);
  mailbox_->after_step(stream_);
  ++enqueued_;
}

std::optional<StepMetrics> Trainer::read(bool wait) {
  const std::byte* report = mailbox_->next(wait);
  if (!report) return std::nullopt;
  if (comm_) comm_->check();  // before the numbers are believed
  return metrics(report);
}

StepMetrics Trainer::step(double progress, std::span<const std::int64_t> slices) {
  enqueue(progress, slices);
  return *read(true);
}

void Trainer::set_state(const TrainerState& state) {
  state_ = state;
  enqueued_ = state.step;
  auto tell = [](const Parameters& p, std::int64_t updates) {
    from_host(std::vector{static_cast<float>(updates)}, p.updates());
  };
  tell(gan_.generator, state.adam_generator);
  tell(gan_.disc_global, state.adam_global);
  tell(gan_.disc_patch, state.adam_patch);
}

StepMetrics Trainer::metrics(const std::byte* report) {
  auto scalar = [&](Value v) {
    float value;
    std::memcpy(&value, report + places_.at(v.id), sizeof(value));
    return double{value};
  };
  const std::vector<Value>& terms = graph_->terms;
  auto sum = [&](int first, std::int64_t count) {
    double total = 0;
    for (std::int64_t i = 0; first >= 0 && i < count; ++i) total += scalar(terms[static_cast<std::size_t>(first + i)]);
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

  auto count = [&](const StepGraph::Update& u, std::int64_t& t) {
    if (scalar(u.enabled) != 0)
      ++t;
    else
      m.finite = false;
  };
  count(graph_->global, state_.adam_global);
  count(graph_->patch, state_.adam_patch);
  for (const StepGraph::Update& u : graph_->generator) count(u, state_.adam_generator);
  m.step = ++state_.step;
  return m;
}

}  // namespace ipa
