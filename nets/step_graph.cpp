#include "nets/step_graph.h"

#include "graph/plan.h"

namespace ipa {
namespace {

Value half_sum(Value a, Value b) {
  Graph& graph = *a.graph;
  return weighted_sum({a, b}, constant(graph, {vector_shape(2)}, 0.5f));
}

}  // namespace

StepGraph::StepGraph(Gan& gan, const StepOptions& options, Comm* comm, const std::optional<TrainingData>& data)
    : generator_layers(graph, gan.generator, Mode::training, generator_batch_norm(options.net), Init::glorot_uniform),
      global_layers(graph, gan.disc_global, Mode::training, discriminator_batch_norm, Init::normal_002),
      patch_layers(graph, gan.disc_patch, Mode::training, discriminator_batch_norm, Init::normal_002),
      vgg_layers(graph, gan.vgg19, Mode::training, {}, Init::zero),
      comm_(comm) {
  lr = graph.state("learning rate", {scalar_shape});
  make_input(options, data);
  {
    const Graph::Scope scope(graph, "forward");
    fake = generate(options);
  }
  auto discriminator_phase = [&](Layers& layers, DiscriminatorKind kind, Value previous) {
    const Graph::Scope scope(graph, std::string(network_name(kind)) + " update");
    const Value real_score = discriminate(layers, kind, concat({corrupted, target}), options).score;
    const Value fake_score = discriminate(layers, kind, concat({corrupted, fake}), options).score;
    return update(layers, half_sum(bce_with_logits(real_score, 1), bce_with_logits(fake_score, 0)), previous, options);
  };
  global = discriminator_phase(global_layers, DiscriminatorKind::global, {});
  patch = discriminator_phase(patch_layers, DiscriminatorKind::patch, global.enabled);

  Value image_now = fake, previous = patch.enabled;
  for (std::int64_t k = 0; k < options.optimizer.generator_steps; ++k) {
    const Graph::Scope scope(graph, "generator update");
    if (k > 0) image_now = generate(options);
    const Value loss = generator_loss(image_now, options, k == 0);
    generator.push_back(update(generator_layers, loss, previous, options, k == 0 ? &terms : nullptr));
    previous = generator.back().enabled;
  }
  if (!comm) return;
  for (Layers* layers : {&generator_layers, &global_layers, &patch_layers}) layers->start_statistics(*comm);
  for (Layers* layers : {&generator_layers, &global_layers, &patch_layers}) layers->finish_statistics(*comm);
}

void StepGraph::make_input(const StepOptions& options, const std::optional<TrainingData>& data) {
  const TensorSpec image{{options.batch, options.size, options.size, 1}, options.compute};
  if (!data) {
    corrupted = graph.input("corrupted", image);
    target = graph.input("target", image);
    mask = graph.input("mask", image);
    return;
  }
  slices = graph.state("slices", data->slices.spec());
  if (data->masks) masks = graph.state("masks", data->masks->spec());
  order = graph.state("order", {vector_shape(options.batch), DType::i32});
  step = graph.state("step", {scalar_shape, DType::i32});
  const TrainingPairs made = training_pairs(slices, masks, order, step, data->pairs, options.compute);
  require(made.target.spec() == image, "step: the slices are of another size");
  corrupted = made.corrupted, target = made.target, mask = made.mask;
}

Value StepGraph::generate(const StepOptions& options) {
  const Graph::Scope scope(graph, "generator");
  return ipa::generator(generator_layers, corrupted, options.net);
}

Discrimination StepGraph::discriminate(Layers& layers, DiscriminatorKind kind, Value pair, const StepOptions& options) {
  const Graph::Scope scope(graph, network_name(kind));
  return ipa::discriminate(layers, pair, kind, options.net.disc_width);
}

Value StepGraph::generator_loss(Value image, const StepOptions& options, bool first) {
  const LossOptions& loss = options.loss;
  std::vector<Value> list;
  auto append = [&](int& position, Value term) {
    if (first && position < 0) position = static_cast<int>(list.size());
    list.push_back(term);
  };
  const Value pair = concat({corrupted, image});
  std::vector<Value> fake_features;
  if (loss.adversarial > 0)
    append(adversarial_global,
           bce_with_logits(discriminate(global_layers, DiscriminatorKind::global, pair, options).score, 1));
  if (loss.adversarial > 0 || loss.perceptual > 0) {
    const Discrimination d = discriminate(patch_layers, DiscriminatorKind::patch, pair, options);
    if (loss.adversarial > 0) append(adversarial_patch, bce_with_logits(d.score, 1));
    fake_features = d.features;
  }
  std::vector<Value> fakes{image}, reals{target};  // compared by L1: the images, then features
  if (loss.perceptual > 0) {
    const Value real_pair = concat({corrupted, target});
    const Discrimination real = discriminate(patch_layers, DiscriminatorKind::patch, real_pair, options);
    fakes.insert(fakes.end(), fake_features.begin(), fake_features.begin() + perceptual_layers);
    reals.insert(reals.end(), real.features.begin(), real.features.begin() + perceptual_layers);
  }
  const std::vector<Value> distances = l1_losses(fakes, reals);
  append(l1, distances[0]);
  for (std::size_t i = 1; i < distances.size(); ++i) append(first_perceptual, distances[i]);
  if (loss.style > 0) {
    Vgg19Features of_image(vgg_layers, image), of_target(vgg_layers, target);
    for (std::size_t n = 0; n < static_cast<std::size_t>(loss.style_layers); ++n) {
      if (first) target_features_.push_back(of_target.next());  // frozen: the same in every update
      append(first_style, style_loss(of_image.next(), target_features_[n]));
    }
  }
  if (loss.hole > 0) append(hole, masked_l1_loss(image, target, mask));
  if (first) {
    terms = list;
    weights = graph.state("loss weights", {vector_shape(static_cast<std::int64_t>(list.size()))});
  }
  return weighted_sum(list, weights);
}

StepGraph::Update StepGraph::update(Layers& layers, Value loss, Value previous, const StepOptions& options,
                                    std::vector<Value>* reported) {
  Update u;
  u.loss = loss;
  if (comm_) {  // what is looked at and told from here on are means over the ranks
    std::vector<Value> report{loss};
    if (reported) report.insert(report.end(), reported->begin(), reported->end());
    const std::vector<Value> means = layers.differentiate(loss, report, *comm_, options.bucket_bytes);
    u.loss = means.front();
    if (reported) reported->assign(means.begin() + 1, means.end());
  } else {
    layers.differentiate(loss);
  }
  const Graph::Scope scope(graph, "Adam");
  const AdamAttributes attributes{options.optimizer.beta1, options.optimizer.beta2, 1e-8};
  const Layers::Flat flat = layers.flat();
  u.squared_norm = squared_norm(flat.gradients);
  u.enabled = all_finite({u.loss, u.squared_norm}, previous);
  const Value rates = adam_rates(lr, flat.updates, u.enabled, attributes);
  adam(flat.values, flat.m, flat.v, flat.gradients, rates, u.enabled, attributes, flat.copy);
  return u;
}

std::vector<Rewritten::Change> StepGraph::rewrite(Device device, const std::optional<Rewrites>& which) {
  Rewritten rewritten = ipa::rewrite(graph, outputs(), device, which.value_or(Rewrites::that_pay(device)));
  graph.replace(std::move(rewritten.lists));
  return std::move(rewritten.changes);
}

Rewrites rewrites_that_fit(std::size_t free, Gan& gan, const StepOptions& options, Comm* comm,
                           const std::optional<TrainingData>& data) {
  const Device device = gan.generator.device();
  Rewrites which = options.rewrites.value_or(Rewrites::that_pay(device));
  if (options.rewrites || !which.kept_outputs) return which;
  StepGraph step(gan, options, comm, data);
  step.rewrite(device, which);
  which.kept_outputs = plan(step.graph, step.pictures(), {.device = device}).arena_bytes < free / 10 * 9;
  return which;
}

std::vector<Value> StepGraph::scalars() const {
  std::vector<Value> all = terms;
  auto report = [&](const Update& u) { all.insert(all.end(), {u.loss, u.squared_norm, u.enabled}); };
  report(global);
  report(patch);
  for (const Update& u : generator) report(u);
  return all;
}

std::vector<Value> StepGraph::pictures() const {
  if (!slices) return {fake};
  return {fake, corrupted, target};
}

std::vector<Value> StepGraph::outputs() const {
  std::vector<Value> all = scalars();
  for (const Value& v : pictures()) all.push_back(v);
  return all;
}

}  // namespace ipa
