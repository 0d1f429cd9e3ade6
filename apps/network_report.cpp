#include "apps/network_report.h"

#include <algorithm>

#include "apps/gan_state.h"
#include "apps/sampling.h"
#include "graph/plan.h"
#include "nets/inpainter.h"
#include "nets/step_graph.h"

namespace ipa {
namespace {

// Describes one network in a graph of its own.
template <class F>
NetworkSummary summary(const char* name, const Settings& settings, std::int64_t channels, F describe) {
  Graph graph;
  Parameters parameters(name);
  Layers layers(graph, parameters, Mode::training, {}, Init::zero);
  const std::int64_t side = settings.data.size;
  const Value output = describe(layers, graph.input("x", {{1, side, side, channels}}));
  return {name, parameters.trainable_count(), output.shape()};
}

std::size_t bytes_of(const Parameters& parameters, int copies, bool in_bf16) {
  constexpr auto width = static_cast<std::int64_t>(sizeof(float));
  const std::int64_t statistics = parameters.count() - parameters.trainable_count();
  const auto trainable = static_cast<std::int64_t>(parameters.flat_spec().bytes());
  return static_cast<std::size_t>(copies * trainable + (in_bf16 ? trainable / 2 : 0) + width * statistics);
}

// One slice stands for all: they are no part of the plan.
TrainingData described_data(const Settings& s, Device device) {
  const TensorSpec plane{{1, 1, s.data.size, s.data.size}, DType::u8};
  TrainingData data{Tensor(nullptr, plane, device), {}, pair_attributes(s.data, s.train, true)};
  if (s.data.masks != "square") data.masks = Tensor(nullptr, plane, device);
  return data;
}

}  // namespace

std::vector<NetworkSummary> describe_networks(const Settings& s) {
  auto discriminator = [&](DiscriminatorKind kind) {
    return summary(network_name(kind), s, 2,
                   [&](Layers& layers, Value x) { return discriminate(layers, x, kind, s.net.disc_width).score; });
  };
  return {
      summary("generator", s, 1, [&](Layers& layers, Value x) { return generator(layers, x, s.net); }),
      summary("multires_unet", s, 1,
              [&](Layers& layers, Value x) { return multires_unet(layers, x, s.net.width, Head::image); }),
      discriminator(DiscriminatorKind::global),
      discriminator(DiscriminatorKind::patch),
      summary("vgg19", s, 1,
              [](Layers& layers, Value x) { return vgg19_features(layers, x, vgg19_convolutions).back(); }),
  };
}

MemoryPlan plan_memory(const Settings& settings, Device device, std::optional<std::size_t> free) {
  MemoryPlan result;
  result.batch = settings.train.batch;
  const DType compute = compute_type_on(device);
  const bool in_bf16 = compute == DType::bf16;
  const PlanOptions where{.device = device};
  {
    Gan gan(device);
    const StepOptions options = step_options(settings, settings.train.batch, device);
    const std::optional<TrainingData> data = described_data(settings, device);
    StepGraph step(gan, options, nullptr, data);
    constexpr int with_gradients_and_moments = 4;
    for (const Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch})
      result.training_state_bytes += bytes_of(*p, with_gradients_and_moments, in_bf16);
    result.training_state_bytes += bytes_of(gan.vgg19, 1, in_bf16);
    result.parameters_bytes = bytes_of(gan.generator, 1, in_bf16);
    const std::size_t left = free ? *free - std::min(*free, result.training_state_bytes) : SIZE_MAX;
    step.rewrite(device, rewrites_that_fit(left, gan, options, nullptr, data));
    const Plan planned = plan(step.graph, step.pictures(), where);
    result.training_step_bytes = planned.arena_bytes;
    result.training_table = memory_table(planned);
  }
  Graph graph;
  Parameters parameters("generator", device);
  Layers layers(graph, parameters, Mode::inference, generator_batch_norm(settings.net), Init::glorot_uniform);
  const std::int64_t side = settings.data.size;
  const Value output =
      describe_inpainter(graph, layers, device, settings.net, settings.train.batch, side, side, compute).output;
  const Plan planned = plan(graph, std::vector{output}, where);
  result.inference_bytes = planned.arena_bytes;
  result.inference_table = memory_table(planned);
  for (const Graph::Info& info : graph.infos())
    if (info.kind == Graph::Kind::state) result.folded_bytes += bytes_on(device, info.spec);
  return result;
}

}  // namespace ipa
