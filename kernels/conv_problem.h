// A convolution as the CUDA backend sees it: which pass, on what, and what else is computed in its kernel. Layouts:
// activations NHWC and weights (Co,kh,kw,Ci) with channels padded to multiples of 8 and zeros in the padding (of the
// weights in both Co and Ci); bf16 or f32, but bias, statistics and weight gradients, which are f32.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "kernels/conv.h"

namespace ipa::cuda {

constexpr std::int64_t padded_channels(std::int64_t c) { return (c + 7) / 8 * 8; }

// What is computed in the convolution's kernel besides it. Vectors are (1,1,1,C) f32, C padded.
struct ConvFusion {
  bool normalise = false;  // forward: the convolution's input is relu(x scale + shift), which is never in memory
  bool bias = false;       // forward: y = a(conv + bias)
  Activation activation = {};
  bool statistics = false;  // forward: sums and sums of squares of y over the pixels, as batch norm asks for
  bool any_order = false;   // statistics by atomic additions: the last bits differ from run to run, but x and y may be
                            // slices and x be normalised, for which cuDNN does not offer a fixed order
  bool by_forward = false;  // dgrad with stride 1, computed as a forward convolution: w holds flip_filters(w). Takes
                            // slices and fuses what cuDNN's own dgrad does not
  bool add = false;         // dgrad: dx += added, another part of x's gradient
  bool relu_backward = false;  // dgrad: then dx = 0 where x, the output of a ReLU, is not positive
  std::int64_t x_pitch = 0,
               y_pitch = 0;  // of x (dx, added) and y (dy) where they are slices of wider tensors; 0: packed
};

// A convolution's geometry is in channels as the network has them; padding them is done here.
struct ConvProblem {
  ConvPass pass = ConvPass::forward;
  ConvGeometry geometry;
  DType dtype = DType::bf16;
  ConvFusion fusion = {};
};

// The tensors of a problem: x and y are dx and dy in dgrad, w is dw in wgrad. `relu` is the ReLU's output x in dgrad.
enum class ConvOperand : std::uint8_t { x, w, y, bias, scale, shift, sum, sum_squares, added, relu, count };
using ConvPointers = std::array<void*, static_cast<std::size_t>(ConvOperand::count)>;

// Shape, type and pitch of an operand as it lies in memory, padding included.
struct ConvLayout {
  TensorSpec spec;
  std::int64_t pitch = 0;
  std::size_t bytes() const { return static_cast<std::size_t>(spec.shape.pixels() * pitch) * size_of(spec.dtype); }
  std::size_t bytes_as_f32() const {
    return static_cast<std::size_t>(spec.shape.elements()) * sizeof(float);
  }  // packed
};
ConvLayout conv_layout(const ConvProblem& problem, ConvOperand operand);

// The tensors in memory, and the main one that is computed (statistics come besides).
std::vector<ConvOperand> conv_operands(const ConvProblem& problem);
constexpr ConvOperand conv_result(ConvPass pass) {
  return pass == ConvPass::forward ? ConvOperand::y : pass == ConvPass::dgrad ? ConvOperand::x : ConvOperand::w;
}

std::string to_string(const ConvProblem& problem);  // "forward 3x3 s1 p1 17->26 @256x256 n8 bf16 +bias +relu"

}  // namespace ipa::cuda
