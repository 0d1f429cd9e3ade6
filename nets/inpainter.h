// The generator in inference: batch norm folded, no gradients, one program for a fixed batch and size.
#pragma once

#include <memory>
#include <optional>

#include "graph/rewrite.h"
#include "nets/multires_unet.h"

namespace ipa {

// The program's input and its output: the pixels of N slices in [-1, 1], row by row, in f32 whatever `compute` is;
// (N, H, W, 1) on the CPU and packed rows (N, H, 1, W) on CUDA (kernels/cast.h). The graph is rewritten, by default as
// pays on the device (graph/rewrite.h).
struct InpainterEnds {
  Value input, output;
};
InpainterEnds describe_inpainter(Graph& graph, Layers& layers, Device device, const NetOptions& options,
                                 std::int64_t batch, std::int64_t height, std::int64_t width, DType compute,
                                 const std::optional<Rewrites>& which = {});

class Inpainter {
 public:
  // Declares the generator in `parameters` (allocate and load it before the first run). `arena` as in Program: with one
  // that is shared, fill the input right before each run and read the output right after it.
  Inpainter(Parameters& parameters, const NetOptions& options, std::int64_t batch, std::int64_t height,
            std::int64_t width, DType compute = DType::f32, const Buffer* arena = nullptr);

  void fold();  // takes over the parameters' present values; call it after every change of them
  void run();   // enqueues input() to output()
  Stream& stream() { return stream_; }
  Tensor input() const { return program_->tensor(ends_.input); }  // as described; to fill by from_host
  Tensor output() const { return program_->tensor(ends_.output); }
  const Plan& plan() const { return program_->plan(); }

 private:
  Graph graph_;
  Layers layers_;
  InpainterEnds ends_;
  std::unique_ptr<Program> program_;
  Stream stream_;
};

}  // namespace ipa
