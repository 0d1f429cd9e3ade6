#include "apps/gan_state.h"

#include <algorithm>

#include "engine/error.h"

namespace ipa {
namespace {

void fill(const Parameters& p, const Tensor& flat, const std::vector<float>& values, const std::string& file) {
  if (static_cast<std::int64_t>(values.size()) != p.portable_size())
    fail(ErrorKind::input, "Adam's moments of " + p.network() + " are of another size", file,
         "it was written with other widths");
  p.from_portable(values, flat);
}

}  // namespace

StepOptions step_options(const Settings& settings, std::int64_t batch, Device device) {
  return {.net = settings.net,
          .loss = settings.loss,
          .optimizer = settings.optimizer,
          .batch = batch,
          .size = settings.data.size,
          .compute = compute_type_on(device)};
}

void declare_gan(Gan& gan, const NetOptions& options) {
  declare_generator(gan.generator, options);
  for (const auto kind : {DiscriminatorKind::global, DiscriminatorKind::patch}) {
    Graph graph;
    Layers layers(graph, kind == DiscriminatorKind::global ? gan.disc_global : gan.disc_patch, Mode::training,
                  discriminator_batch_norm, Init::normal_002);
    discriminate(layers, graph.input("pair", {{1, 96, 96, 2}}), kind, options.disc_width);
  }
}

void snapshot(const Gan& gan, const TrainerState& state, Checkpoint& checkpoint) {
  checkpoint.step = state.step;
  checkpoint.weights.clear();
  checkpoint.adam.clear();
  auto add = [&](const Parameters& p, std::int64_t updates) {
    p.save(checkpoint.weights);
    checkpoint.adam.push_back({p.network(), updates, p.portable(p.flat_m()), p.portable(p.flat_v())});
  };
  add(gan.generator, state.adam_generator);
  add(gan.disc_global, state.adam_global);
  add(gan.disc_patch, state.adam_patch);
}

TrainerState restore(const Checkpoint& checkpoint, const std::string& file, Gan& gan) {
  TrainerState state{.step = checkpoint.step};
  auto take = [&](Parameters& p, std::int64_t& updates) {
    p.load(checkpoint.weights, file);
    const auto found = std::find_if(checkpoint.adam.begin(), checkpoint.adam.end(),
                                    [&](const AdamState& a) { return a.network == p.network(); });
    if (found == checkpoint.adam.end()) {
      if (checkpoint.step > 0)
        fail(ErrorKind::input, "no Adam moments of " + p.network(), file, "it cannot be trained on");
      return;
    }
    fill(p, p.flat_m(), found->m, file);
    fill(p, p.flat_v(), found->v, file);
    updates = found->steps;
  };
  take(gan.generator, state.adam_generator);
  take(gan.disc_global, state.adam_global);
  take(gan.disc_patch, state.adam_patch);
  return state;
}

}  // namespace ipa
