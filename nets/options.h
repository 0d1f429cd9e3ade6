// The settings that shape networks, losses and updates; defaults are the `paper` preset's (docs/user_guide.md,
// "Settings").
#pragma once

#include <cstdint>

namespace ipa {

struct NetOptions {
  std::int64_t width = 32;       // U of the first MultiRes block; ResPath and up-sampling widths scale with it
  std::int64_t disc_width = 64;  // channels of a discriminator's first layer
  bool residual =
      false;  // each MultiRes-UNet adds its tanh output to its input; the final result is clipped to [-1, 1]
  double bn_momentum = 0.99;  // the generator's, Keras' way: running = momentum running + (1 - momentum) batch
};

struct LossOptions {
  double adversarial = 1;         // lambda 1
  double style = 1e-2;            // lambda 2; 0 switches VGG-19 off
  double perceptual = 20;         // lambda 3, on L1 plus the four D_p terms
  std::int64_t style_layers = 6;  // first n convolutions of VGG-19
  double hole = 0;                // extra weight on the mean absolute error inside the hole
  std::int64_t style_warmup = 0;  // steps over which lambda 2 rises linearly from 0
};

struct OptimizerOptions {
  double lr = 2e-4, beta1 = 0.5, beta2 = 0.999;
  double decay = 0;                  // > 0: learning rate times (1 - progress)^decay
  std::int64_t generator_steps = 1;  // N_G: generator updates per discriminator update, each with its own forward pass
};

}  // namespace ipa
