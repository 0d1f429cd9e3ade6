// One whole training step of ipA-MedGAN as one graph: both discriminators first, then the generator against the updated
// discriminators (N_G times), with gradients and Adam. Everything a step does is appended here, once.
//
//   fake = G(y)                                                   one forward pass for everything below when N_G = 1
//   for D in {D_g, D_p}: loss = 1/2 [BCE(D(y,x), 1) + BCE(D(y,fake), 0)]; gradient; Adam
//   G: lambda1 [BCE(D_g(y,fake), 1) + BCE(D_p(y,fake), 1)]        non-saturating
//    + lambda3 [mean |fake - x| + sum_i mean |R_i(fake) - R_i(x)|]  R_i: layers 1-4 of D_p
//    + lambda2 sum_n style_n                                        VGG-19 layers, Gram / (h w d)
//    + hole mean over the hole of |fake - x|; gradient; Adam
//
// Running statistics move at each forward pass in train mode, in this order: D: real, fake; then D_g: fake; D_p: fake
// and, where the perceptual loss is on, real. A step whose loss or gradient is not finite leaves that network and the
// later ones alone.
//
// Over R ranks, each with `batch` samples of its own, gradients are means over the ranks (batch norm's batch statistics
// stay each rank's), and so are the losses that the ranks report and look at, so that all take the same decisions; at
// the step's end the running statistics become their means. All parameters stay equal on all ranks, byte for byte.
#pragma once

#include <optional>
#include <vector>

#include "graph/rewrite.h"
#include "nets/discriminators.h"
#include "nets/multires_unet.h"
#include "nets/vgg19.h"

namespace ipa {

struct StepOptions {
  NetOptions net;
  LossOptions loss;
  OptimizerOptions optimizer;
  std::int64_t batch = 8, size = 256;
  DType compute = DType::f32;           // of activations and of the weights that convolutions read; bf16 on CUDA
  std::size_t bucket_bytes = 16 << 20;  // of gradients that ranks sum at once
  std::optional<Rewrites> rewrites;     // of the step's graph; none: those that pay on the device
};

// The networks of one GAN; vgg19 is there if loss.style > 0.
struct Gan {
  explicit Gan(Device device = {})
      : generator("generator", device),
        disc_global("disc_global", device),
        disc_patch("disc_patch", device),
        vgg19("vgg19", device) {}
  Parameters generator, disc_global, disc_patch, vgg19;
};

// Slices that lie on the networks' device all the time, and how a step makes its input of them
// (kernels/training_pairs.h). To plan only, tensors without memory will do.
struct TrainingData {
  Tensor slices;                // (count, 1, S, S), u8 or f32
  std::optional<Tensor> masks;  // (M, 1, S, S) u8; none: squares
  PairAttributes pairs;
};

// Nodes' scopes tell the part of the step: PHASE[.NETWORK...], phases being "forward" (the generator's), "disc_global
// update", "disc_patch update" and "generator update"; what has no network is a loss or its input, or under "Adam";
// backward passes are PHASE.d SCOPE-OF-THE-FORWARD-NODE.
struct StepGraph {
  // `comm` outlives what is made of the graph.
  StepGraph(Gan& gan, const StepOptions& options, Comm* comm = nullptr, const std::optional<TrainingData>& data = {});

  // What a network reports of one update, scalars.
  struct Update {
    Value loss, squared_norm, enabled;
  };

  Graph graph;
  Layers generator_layers, global_layers, patch_layers, vgg_layers;
  Value corrupted, target, mask;  // (N, S, S, 1): y and x in [-1, 1]; 1 in the hole. Made of the data, else inputs
  Value lr, weights;              // states, set before a step: a scalar; (1,1,1,n), the weight of each of `terms`
  Value slices, masks;            // states, of the data, where there are any
  Value order, step;              // with data: states, set before a step
  std::vector<Value> terms;       // of the generator's first update; those switched off are left out
  // Positions in `terms`, -1 where switched off; l1 is measured even if its weight is 0.
  int adversarial_global = -1, adversarial_patch = -1, l1 = -1, first_perceptual = -1, first_style = -1, hole = -1;
  Value fake;
  Update global, patch;
  std::vector<Update> generator;  // N_G of them

  std::vector<Value> scalars() const;   // what a step reports: terms, losses, norms, flags
  std::vector<Value> pictures() const;  // fake, and of data the corrupted and the target: kept until the next step
  std::vector<Value> outputs() const;   // all of these

  // Rewrites the graph for a device, by default as pays there (graph/rewrite.h). Of the results only outputs() and what
  // is stored are sure to be there then.
  std::vector<Rewritten::Change> rewrite(Device device, const std::optional<Rewrites>& which = {});

 private:
  Update update(Layers& layers, Value loss, Value previous, const StepOptions& options,
                std::vector<Value>* reported = nullptr);
  void make_input(const StepOptions& options, const std::optional<TrainingData>& data);
  Value generate(const StepOptions& options);
  Discrimination discriminate(Layers& layers, DiscriminatorKind kind, Value pair, const StepOptions& options);
  Value generator_loss(Value image, const StepOptions& options, bool first);

  Comm* comm_;
  std::vector<Value> target_features_;  // of VGG-19
};

// The rewrites of a step with `free` bytes for its arena: those asked for or, if none are, those that pay; of these,
// outputs are kept for the backward pass only where nine tenths of the memory have room for them (the rest is for
// libraries). The bits are the same either way.
Rewrites rewrites_that_fit(std::size_t free, Gan& gan, const StepOptions& options, Comm* comm = nullptr,
                           const std::optional<TrainingData>& data = {});

constexpr int perceptual_layers = 4;

}  // namespace ipa
