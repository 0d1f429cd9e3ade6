#include <cmath>

#include "graph/ops.h"
#include "tests/support/conv_reference.h"
#include "tests/support/op_case.h"

namespace ipa::test {
namespace {

using Arrays = std::vector<Array>;
using ValueList = std::vector<Value>;

double act(double x, Activation a) {
  switch (a.kind) {
    case Activation::Kind::relu:
      return x > 0 ? x : 0;
    case Activation::Kind::leaky_relu:
      return x > 0 ? x : a.slope * x;
    case Activation::Kind::tanh:
      return std::tanh(x);
    case Activation::Kind::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::Kind::none:
      break;
  }
  return x;
}

// Where it is not our Winograd but oneDNN that computes the weight gradient, its order of sums is oneDNN's own and
// depends on the number of threads.
OpCase conv_case(const std::string& name, const Shape& x, const Shape& w, ConvAttributes t, Activation a = {},
                 bool bias = false) {
  const bool by_winograd = w.h == 3 && w.w == 3 && x.c > 1 && t.stride == 1 && t.pad == 1 && t.dilation == 1;
  OpCase c{
      .name = "conv: " + name,
      .inputs = {{.shape = x}, {.shape = w, .filter = true}},
      .build = [=](Graph&, const ValueList& in) { return ValueList{conv(in[0], in[1], bias ? in[2] : Value{}, t, a)}; },
      .reference =
          [=](const Arrays& in) {
            return Arrays{map(conv_reference(in[0], in[1], bias ? in[2] : Array(vector_shape(w.n)), t),
                              [a](double v) { return act(v, a); })};
          },
      .any_threads_same_bits = by_winograd};
  if (bias) c.inputs.push_back({.shape = vector_shape(w.n), .exact = true});
  return c;
}

OpCase bench_case(const std::string& name, const Shape& x, const Shape& w, ConvAttributes t, Activation a = {}) {
  OpCase c = conv_case(name, x, w, t, a, a.kind != Activation::Kind::none);
  c.bench_only = true;
  c.reference = {};
  return c;
}

const Register registered({
    conv_case("3x3, 8 to 17 channels", {2, 7, 9, 8}, {17, 3, 3, 8}, {1, 1, 1}),
    conv_case("3x3, 1 to 8 channels", {2, 5, 6, 1}, {8, 3, 3, 1}, {1, 1, 1}),
    conv_case("3x3, 17 to 26 channels, bias and ReLU", {1, 8, 8, 17}, {26, 3, 3, 17}, {1, 1, 1}, relu_activation, true),
    conv_case("3x3, 35 to 71 channels", {1, 6, 5, 35}, {71, 3, 3, 35}, {1, 1, 1}),
    conv_case("3x3, 64 to 53 channels, bias", {1, 6, 5, 64}, {53, 3, 3, 64}, {1, 1, 1}, {}, true),
    conv_case("3x3, 64 to 64 channels, bias and ReLU", {1, 8, 8, 64}, {64, 3, 3, 64}, {1, 1, 1}, relu_activation, true),
    conv_case("3x3 by Winograd, 9 to 17 channels", {1, 30, 33, 9}, {17, 3, 3, 9}, {1, 1, 1}),
    conv_case("3x3 by Winograd, 8 to 35 channels, bias and ReLU", {2, 23, 21, 8}, {35, 3, 3, 8}, {1, 1, 1},
              relu_activation, true),
    conv_case("3x3 by Winograd, bias and LeakyReLU", {1, 32, 32, 8}, {8, 3, 3, 8}, {1, 1, 1},
              leaky_relu_activation(0.2f), true),
    conv_case("3x3 by Winograd, bias and tanh", {1, 32, 32, 8}, {1, 3, 3, 8}, {1, 1, 1}, tanh_activation, true),
    conv_case("3x3 on one pixel", {1, 1, 1, 3}, {5, 3, 3, 3}, {1, 1, 1}),
    conv_case("1x1, 51 to 32 channels", {2, 5, 7, 51}, {32, 1, 1, 51}, {1, 0, 1}),
    conv_case("1x1, 51 to 1 channel, bias and tanh", {2, 5, 7, 51}, {1, 1, 1, 51}, {1, 0, 1}, tanh_activation, true),
    conv_case("1x1, 1 to 51 channels", {2, 5, 7, 1}, {51, 1, 1, 1}, {1, 0, 1}),
    conv_case("1x1, bias and sigmoid", {1, 4, 4, 6}, {3, 1, 1, 6}, {1, 0, 1}, sigmoid_activation, true),
    conv_case("4x4 stride 2, bias and LeakyReLU", {2, 8, 8, 2}, {16, 4, 4, 2}, {2, 1, 1}, leaky_relu_activation(0.2f),
              true),
    conv_case("4x4 stride 2 on odd sizes", {1, 9, 7, 33}, {40, 4, 4, 33}, {2, 1, 1}),
    conv_case("4x4 stride 1 padding 1", {1, 7, 6, 64}, {72, 4, 4, 64}, {1, 1, 1}),
    conv_case("4x4 stride 1 to 1 channel, bias", {1, 6, 6, 64}, {1, 4, 4, 64}, {1, 1, 1}, {}, true),
    conv_case("3x3 dilation 2", {1, 9, 9, 16}, {24, 3, 3, 16}, {1, 2, 2}),
    conv_case("3x3 dilation 4, odd channels", {1, 11, 10, 5}, {3, 3, 3, 5}, {1, 4, 4}),
    conv_case("3x3 dilation 2, wide", {1, 8, 8, 64}, {64, 3, 3, 64}, {1, 2, 2}),
    conv_case("5x5 stride 2", {1, 11, 8, 12}, {20, 5, 5, 12}, {2, 2, 1}),
    conv_case("5x3 kernel, no padding, stride 3", {1, 11, 9, 6}, {10, 5, 3, 6}, {3, 0, 1}),
    {.name = "conv: dgrad and wgrad as ops, differentiated again",
     .inputs = {{.shape = {1, 5, 6, 9}}, {.shape = {10, 3, 3, 9}, .filter = true}, {.shape = {1, 3, 3, 10}}},
     .build =
         [](Graph&, const ValueList& in) {
           const ConvAttributes t{2, 1, 1};
           return ValueList{conv_dgrad(in[2], in[1], in[0].shape(), t), conv_wgrad(in[0], in[2], in[1].shape(), t)};
         },
     .reference =
         [](const Arrays& in) {
           const ConvAttributes t{2, 1, 1};
           return Arrays{dgrad_reference(in[2], in[1], in[0].shape, t), wgrad_reference(in[0], in[2], in[1].shape, t)};
         },
     .any_threads_same_bits = false},
    bench_case("enc1.b 8 to 17 @256", {4, 256, 256, 8}, {17, 3, 3, 8}, {1, 1, 1}),
    bench_case("enc1.c 17 to 26 @256", {4, 256, 256, 17}, {26, 3, 3, 17}, {1, 1, 1}),
    bench_case("3x3 26 to 51 @256", {4, 256, 256, 26}, {51, 3, 3, 26}, {1, 1, 1}),
    bench_case("respath1.1 51 to 32 @256", {4, 256, 256, 51}, {32, 3, 3, 51}, {1, 1, 1}),
    bench_case("respath1.2 32 to 32 @256", {4, 256, 256, 32}, {32, 3, 3, 32}, {1, 1, 1}),
    bench_case("respath1.1 shortcut 1x1 51 to 32 @256", {4, 256, 256, 51}, {32, 1, 1, 51}, {1, 0, 1}),
    bench_case("dec9.a 64 to 8 @256", {4, 256, 256, 64}, {8, 3, 3, 64}, {1, 1, 1}),
    bench_case("enc2.c 35 to 53 @128", {4, 128, 128, 35}, {53, 3, 3, 35}, {1, 1, 1}),
    bench_case("respath2.2 64 to 64 @128", {4, 128, 128, 64}, {64, 3, 3, 64}, {1, 1, 1}),
    bench_case("enc3 shortcut 1x1 105 to 212 @64", {4, 64, 64, 105}, {212, 1, 1, 105}, {1, 0, 1}),
    bench_case("respath3.2 128 to 128 @64", {4, 64, 64, 128}, {128, 3, 3, 128}, {1, 1, 1}),
    bench_case("respath4.1 426 to 256 @32", {4, 32, 32, 426}, {256, 3, 3, 426}, {1, 1, 1}),
    bench_case("bridge.c 284 to 427 @16", {4, 16, 16, 284}, {427, 3, 3, 284}, {1, 1, 1}),
    bench_case("D L1 4x4 s2 2 to 64 @256", {4, 256, 256, 2}, {64, 4, 4, 2}, {2, 1, 1}, leaky_relu_activation(0.2f)),
    bench_case("D L3 4x4 s2 128 to 256 @64", {4, 64, 64, 128}, {256, 4, 4, 128}, {2, 1, 1}),
    bench_case("D_p L4 4x4 256 to 512 @32", {4, 32, 32, 256}, {512, 4, 4, 256}, {1, 1, 1}),
    bench_case("VGG 1_2 64 to 64 @256", {4, 256, 256, 64}, {64, 3, 3, 64}, {1, 1, 1}, relu_activation),
    bench_case("VGG 2_2 128 to 128 @128", {4, 128, 128, 128}, {128, 3, 3, 128}, {1, 1, 1}, relu_activation),
    bench_case("VGG 3_2 256 to 256 @64", {4, 64, 64, 256}, {256, 3, 3, 256}, {1, 1, 1}, relu_activation),
    bench_case("VGG 4_2 512 to 512 @32", {4, 32, 32, 512}, {512, 3, 3, 512}, {1, 1, 1}, relu_activation),
    bench_case("VGG 5_1 512 to 512 @16", {4, 16, 16, 512}, {512, 3, 3, 512}, {1, 1, 1}, relu_activation),
});

}  // namespace
}  // namespace ipa::test
