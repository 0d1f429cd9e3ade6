// The catalogue: every op a network may use. Shapes are NHWC; weights (out, kh, kw, in); vectors (1, 1, 1, C). An
// absent optional value is Value{}. Each op's rule stands in graph/ops/<stem>.cpp, its kernels in kernels/<stem>.*.
#pragma once

#include <optional>
#include <vector>

#include "engine/comm.h"
#include "graph/graph.h"
#include "kernels/math.h"
#include "kernels/training_pairs.h"

namespace ipa {

// --- pointwise
// ---------------------------------------------------------------------------------------------------------
Value constant(Graph& graph, const TensorSpec& spec, float value);  // filled each run
Value activation(Value x, Activation a);                            // ReLU, LeakyReLU, tanh, sigmoid
Value activation_gradient(Value dy, Value y, Activation a);         // dy a'(x), from the output y = a(x)
Value add(Value a, Value b);                                        // a + b
Value clip(Value x, float low, float high);              // gradient 1 on the closed interval, as PyTorch's clamp
Value scale(Value x, Value factor, float constant = 1);  // constant factor x; factor is a scalar value

// --- convolution: three ops, each one's gradients are the other two
// ------------------------------------------------------
struct ConvAttributes {
  int stride = 1, pad = 0, dilation = 1;
  friend bool operator==(const ConvAttributes&, const ConvAttributes&) = default;
};
// act(conv(x, w) + bias): (N,H,W,Ci) with (Co,kh,kw,Ci) to (N,Ho,Wo,Co), Ho = floor((H + 2 pad - dilation (kh-1) - 1) /
// stride) + 1.
Value conv(Value x, Value w, Value bias, ConvAttributes attributes, Activation a = {});
Value conv_dgrad(Value dy, Value w, const Shape& x_shape, ConvAttributes attributes);  // with respect to x
Value conv_wgrad(Value x, Value dy, const Shape& w_shape, ConvAttributes attributes);  // with respect to w
// The data gradient of a convolution with (Ci,kh,kw,Co) weights, so that (N,H,W,Ci) becomes (N, (H-1) stride - 2 pad +
// kh, ..., Co).
Value conv_transpose(Value x, Value w, Value bias, ConvAttributes attributes);
Value add_bias(Value x, Value bias);  // x + bias[c]
Value sum_pixels(Value x);            // (1,1,1,C): the sum over batch, height and width

// --- normalisation
// -------------------------------------------------------------------------------------------------------
struct BatchNorm {
  Value gamma;  // optional
  Value beta;
  Value running_mean, running_var;  // states, moved by the op: r = (1 - momentum) r + momentum batch; variance
                                    // unbiased. A batch whose statistics are not finite leaves them alone.
  float eps = 1e-5f, momentum = 0.1f;
};
// Training mode: a(gamma (x - mean) / sqrt(var + eps) + beta), statistics over batch, height and width.
Value batch_norm(Value x, const BatchNorm& bn, Activation a = {});
Value affine(Value x, Value scale, Value shift,
             Activation a = {});  // a(scale[c] x + shift[c]): batch norm in inference; no gradient

// --- fused tails (docs/numerics.md, "Generator")
// -------------------------------------------------------------------------------------------
// bn_out(relu(bn_shortcut(shortcut) + bn_concat(concat[f1, f2, f3]))), training mode: the end of a MultiRes block.
Value multires_tail(Value f1, Value f2, Value f3, Value shortcut, const BatchNorm& bn_shortcut,
                    const BatchNorm& bn_concat, const BatchNorm& bn_out);
// The same in inference with batch norm folded: scale_out relu(shortcut + scale_concat concat[f1, f2, f3]) + shift_out,
// per channel.
Value multires_tail_folded(Value f1, Value f2, Value f3, Value shortcut, Value scale_concat, Value scale_out,
                           Value shift_out);
// Both with max_pool2 of the result besides, in the same pass.
struct Pooled {
  Value y, pooled;
};
Pooled multires_tail_pooled(Value f1, Value f2, Value f3, Value shortcut, const BatchNorm& bn_shortcut,
                            const BatchNorm& bn_concat, const BatchNorm& bn_out);
Pooled multires_tail_pooled_folded(Value f1, Value f2, Value f3, Value shortcut, Value scale_concat, Value scale_out,
                                   Value shift_out);
// bn_out(relu(bn_shortcut(shortcut) + relu(bn_residual(residual)))), training mode: the end of a ResPath unit.
Value respath_tail(Value shortcut, Value residual, const BatchNorm& bn_shortcut, const BatchNorm& bn_residual,
                   const BatchNorm& bn_out);
// The same folded: scale_out relu(shortcut + relu(residual)) + shift_out.
Value respath_tail_folded(Value shortcut, Value residual, Value scale_out, Value shift_out);

// --- resampling and layout
// -------------------------------------------------------------------------------------------------
Value max_pool2(Value x);                // 2x2, stride 2; the gradient of a tie goes to the first in row order
Value upsample_nearest2(Value x);        // each pixel becomes 2x2
Value upsample_bilinear2(Value x);       // PyTorch's align_corners = False
Value concat(std::vector<Value> parts);  // along the channels
Value slice_channels(Value x, std::int64_t first, std::int64_t count);  // a copy
Value cast(Value x, DType to);  // between f32 and bf16; x itself where it is of that type
// Between packed f32 rows (N,H,1,W), W a multiple of 8, and an image (N,H,W,1): how pictures enter and leave a program.
Value rows_to_image(Value rows, DType to);
Value image_to_rows(Value image);

// --- losses: scalars, means over the batch
// ---------------------------------------------------------------------------------
Value bce_with_logits(Value logits, float target);  // mean over all elements
Value l1_loss(Value a, Value b);                    // mean |a - b| over all elements
// The same for each pair (a[k], b[k]), all of one type, together: one launch for eight.
std::vector<Value> l1_losses(std::vector<Value> a, const std::vector<Value>& b);
Value masked_l1_loss(Value a, Value b,
                     Value mask);  // mask (N,H,W,1) of 0 and 1: per image the mean over its holes, then over images
Value gram(Value x);               // (N,1,C,C): sum_p x[p,a] x[p,b] / (h w C) per image
Value style_loss(Value x,
                 Value target);  // mean over images of 1/(4 C^2) ||gram(x) - gram(target)||_F^2; no gradient to target
Value weighted_sum(std::vector<Value> terms,
                   Value weights);  // sum_i weights[i] terms[i]; weights (1,1,1,n), no gradient to them
Value vgg_input(Value x);  // (N,H,W,1) in [-1,1] to Caffe's (N,H,W,3): 127.5 (x + 1) - (103.939, 116.779, 123.68)

// --- input
// -------------------------------------------------------------------------------------------------------------------
struct TrainingPairs {
  Value target, corrupted, mask;  // (N, S, S, 1) of type `compute`
};
// Of the slices that `order` (1,1,1,N) i32 names: slices (count,1,S,S) u8 or f32, masks (M,1,S,S) u8 or none for
// squares, step i32 (kernels/training_pairs.h). No gradient.
TrainingPairs training_pairs(Value slices, Value masks, Value order, Value step, PairAttributes attributes,
                             DType compute = DType::f32);

// --- optimiser
// ---------------------------------------------------------------------------------------------------------------
Value squared_norm(Value x);  // sum of squares, a scalar, accumulated in double
// 1 if all scalars are finite, else 0; with `previous`, 0 also where that is 0.
Value all_finite(std::vector<Value> scalars, Value previous = {});
struct AdamAttributes {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  // double: 1 - beta2 would lose four digits in float
};
// Of the update t = updates + 1: (1,1,1,2) = {lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t)}. `updates`, a scalar state,
// becomes t where `enabled` is 1.
Value adam_rates(Value lr, Value updates, Value enabled, AdamAttributes attributes);
// PyTorch's Adam on flat states, all mutated: m, v the moments; nothing moves where `enabled` is 0. `copy`, where there
// is one, is the parameters in bf16.
void adam(Value parameters, Value m, Value v, Value gradient, Value rates, Value enabled, AdamAttributes attributes,
          Value copy = {});

// --- many ranks: `comm` must outlive every program of the graph (engine/comm.h)
// ---------------------------------------------------------------------------------------------------------------
void start_all_reduce(Value state, Comm& comm);   // begins to replace a state by its sum over the ranks
void finish_all_reduce(Value state, Comm& comm);  // what is appended from now on sees the sums of all started

}  // namespace ipa
