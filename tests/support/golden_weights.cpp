#include "tests/support/golden_weights.h"

namespace ipa::test {

void load_weights(Parameters& parameters, const Golden& golden) {
  const bool vgg = parameters.network() == "vgg19";
  const std::string stored = vgg ? "weights/vgg." : "weights/";
  WeightMap weights;
  for (NamedArray a : vgg ? Golden("vgg").under(stored) : Golden("weights").arrays()) {
    if (golden.has(stored + a.name)) a.values = golden[stored + a.name].values;
    if (vgg) a.name = "vgg19." + a.name;
    if (parameters.has(a.name)) weights.push_back(std::move(a));  // a network may have fewer than the file
  }
  parameters.load(weights, "the golden weights");
}

WeightMap gradients_of(const Parameters& parameters) {
  WeightMap gradients;
  for (const Parameters::Entry& e : parameters.entries())
    if (e.trainable()) gradients.push_back(Parameters::in_file_layout(e, parameters.gradient(e)));
  return gradients;
}

}  // namespace ipa::test
