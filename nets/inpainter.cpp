#include "nets/inpainter.h"

namespace ipa {

Inpainter::Inpainter(Parameters& parameters, const NetOptions& options, std::int64_t batch, std::int64_t height,
                     std::int64_t width, DType compute)
    : layers_(graph_, parameters, Mode::inference, generator_batch_norm(options), Init::glorot_uniform),
      stream_(parameters.device()) {
  input_ = graph_.input("input", {{batch, height, width, 1}, compute});
  output_ = generator(layers_, input_, options);
  if (!parameters.allocated()) parameters.allocate(false, compute);
  Program::Bindings bindings;
  layers_.bind(bindings);
  const PlanOptions where{.device = parameters.device()};
  program_ = std::make_unique<Program>(graph_, ipa::plan(graph_, std::vector{output_}, where), bindings);
}

void Inpainter::fold() { layers_.fold(); }

void Inpainter::run() { program_->run(stream_); }

}  // namespace ipa
