// What a decoder of the U-Net does at one level, on any device: a transposed convolution and the end of a ResPath,
// joined and convolved; and the whole generator in inference.
#pragma once

#include <cmath>

#include "engine/transfer.h"
#include "nets/inpainter.h"
#include "tests/support/run_case.h"
#include "tests/support/tail_case.h"

namespace ipa::test {

struct Join {
  Shape whole;  // its channels are the sum of
  std::int64_t up, skip;
  bool up_first = true, folded = false;  // folded: as in inference, without gradients
};

inline OpCase joined_case(const Join& j) {
  const Shape &s = j.whole, up{s.n, s.h / 2, s.w / 2, 5}, skip{s.n, s.h, s.w, j.skip};
  OpCase k{.name = "joined",
           .inputs = {{.shape = up},
                      {.shape = {up.c, 2, 2, j.up}, .filter = true},
                      {.shape = vector_shape(j.up), .exact = true},
                      {.shape = skip, .low = -1.5},
                      {.shape = skip, .high = 1.5},
                      {.shape = {6, 3, 3, j.up + j.skip}, .filter = true}}};
  auto joined = [j](const std::vector<Value>& in, Value tail) {
    const Value above = conv_transpose(in[0], in[1], in[2], {.stride = 2});
    const Value both = concat(j.up_first ? std::vector{above, tail} : std::vector{tail, above});
    return std::vector{conv(both, in[5], {}, {.pad = 1})};
  };
  if (j.folded) {
    k.inputs.insert(k.inputs.end(), 2, {.shape = vector_shape(j.skip), .exact = true});
    k.build = [=](Graph&, const std::vector<Value>& in) {
      return joined(in, respath_tail_folded(in[3], in[4], in[6], in[7]));
    };
    return k;
  }
  const NormInputs shortcut(k, j.skip, false, 1e-3f, 0.1f), residual(k, j.skip, false, 1e-3f, 0.1f),
      out(k, j.skip, true, 1e-3f, 0.1f);
  k.build = [=](Graph&, const std::vector<Value>& in) {
    return joined(in, respath_tail(in[3], in[4], shortcut.norm(in), residual.norm(in), out.norm(in)));
  };
  return k;
}

// The same bits in all outputs, states and gradients.
inline bool same_bits(const CaseResult& a, const CaseResult& b) {
  auto equal = [](const std::vector<Array>& x, const std::vector<Array>& y) {
    bool all = x.size() == y.size();
    for (std::size_t i = 0; all && i < x.size(); ++i) all = x[i].v == y[i].v;
    return all;
  };
  return equal(a.outputs, b.outputs) && equal(a.gradients, b.gradients);
}

// What the generator, batch norm folded, makes of an image of waves.
inline std::vector<float> inpainted(Device device, DType compute, const NetOptions& options, const Shape& image,
                                    const Rewrites& rewrites) {
  Graph graph;
  Parameters parameters("generator", device);
  Layers layers(graph, parameters, Mode::inference, generator_batch_norm(options), Init::glorot_uniform);
  const InpainterEnds ends =
      describe_inpainter(graph, layers, device, options, image.n, image.h, image.w, compute, rewrites);
  parameters.allocate(false, compute);
  parameters.initialise(7);
  Program::Bindings bindings;
  layers.bind(bindings);
  layers.fold();
  Program program(graph, plan(graph, std::vector{ends.output}, {.device = device}), bindings);
  std::vector<float> waves;
  for (std::int64_t i = 0; i < image.elements(); ++i) waves.push_back(std::sin(0.1f * static_cast<float>(i)));
  from_host(waves, program.tensor(ends.input));
  Stream stream(device);
  program.run(stream);
  stream.wait();
  return to_host(program.tensor(ends.output));
}

}  // namespace ipa::test
