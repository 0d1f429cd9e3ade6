#include "nets/inpainter.h"

namespace ipa {

InpainterEnds describe_inpainter(Graph& graph, Layers& layers, Device device, const NetOptions& options,
                                 std::int64_t batch, std::int64_t height, std::int64_t width, DType compute,
                                 const std::optional<Rewrites>& which) {
  InpainterEnds ends;
  if (device.is_cpu()) {  // where an image is packed
    ends.input = graph.input("input", {{batch, height, width, 1}});
    ends.output = generator(layers, ends.input, options);
  } else {
    ends.input = graph.input("input", {{batch, height, 1, width}});
    ends.output = image_to_rows(generator(layers, rows_to_image(ends.input, compute), options));
  }
  const Rewrites wanted = which.value_or(Rewrites::that_pay(device));
  graph.replace(rewrite(graph, std::vector{ends.output}, device, wanted).lists);
  return ends;
}

Inpainter::Inpainter(Parameters& parameters, const NetOptions& options, std::int64_t batch, std::int64_t height,
                     std::int64_t width, DType compute, const Buffer* arena)
    : layers_(graph_, parameters, Mode::inference, generator_batch_norm(options), Init::glorot_uniform),
      stream_(parameters.device()) {
  ends_ = describe_inpainter(graph_, layers_, parameters.device(), options, batch, height, width, compute);
  if (!parameters.allocated()) parameters.allocate(false, compute);
  Program::Bindings bindings;
  layers_.bind(bindings);
  const PlanOptions where{.device = parameters.device()};
  program_ = std::make_unique<Program>(graph_, ipa::plan(graph_, std::vector{ends_.output}, where), bindings, arena);
}

void Inpainter::fold() { layers_.fold(); }

void Inpainter::run() { program_->run(stream_); }

}  // namespace ipa
