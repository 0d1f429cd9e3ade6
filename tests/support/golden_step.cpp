#include "tests/support/golden_step.h"

namespace ipa::test {

StepOptions golden_step_options(const Golden& golden, bool residual, DType compute) {
  StepOptions o;
  o.net = {.width = 4, .disc_width = 4, .residual = residual, .bn_momentum = residual ? 0.9 : 0.99};
  o.loss = {.adversarial = golden.number("weight/adversarial"),
            .style = golden.number("weight/style"),
            .perceptual = golden.number("weight/perceptual"),
            .style_layers = 2,
            .hole = golden.number("weight/hole")};
  o.batch = 2;
  o.size = 96;
  o.compute = compute;
  return o;
}

StepOptions with_term_alone(StepOptions options, const std::string& term) {
  options.loss.adversarial = term == "adversarial";
  options.loss.perceptual = term == "perceptual";
  options.loss.style = term == "style";
  options.loss.hole = 0;
  return options;
}

GoldenStep::GoldenStep(const Golden& golden, const StepOptions& options, Device device)
    : gan(device), trainer(gan, options) {
  for (Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch}) load_weights(*p, golden);
  if (options.loss.style > 0) load_weights(gan.vgg19, golden);
  metrics = next(golden);
}

StepMetrics GoldenStep::next(const Golden& golden) {
  fill(golden);
  return trainer.step(0);
}

void GoldenStep::fill(const Golden& golden) {
  golden.fill("x", trainer.target());
  golden.fill("y", trainer.corrupted());
  golden.fill("mask", trainer.mask());
}

}  // namespace ipa::test
