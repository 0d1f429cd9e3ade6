// Scalar functions, value and derivative side by side, written once for host and device.
#pragma once

#include <cmath>
#include <cstdint>

#include "engine/host_device.h"

namespace ipa {

// Activations are differentiated from their output y, so that the input need not be kept.
struct Activation {
  enum class Kind : std::uint8_t { none, relu, leaky_relu, tanh, sigmoid };
  Kind kind = Kind::none;
  float slope = 0;  // of leaky_relu below zero, > 0

  friend bool operator==(const Activation&, const Activation&) = default;
};
constexpr Activation no_activation{}, relu_activation{Activation::Kind::relu, 0},
    tanh_activation{Activation::Kind::tanh, 0}, sigmoid_activation{Activation::Kind::sigmoid, 0};
constexpr Activation leaky_relu_activation(float slope) { return {Activation::Kind::leaky_relu, slope}; }

// Those that our CPU convolutions apply to their sums, by a comparison and a product; others take a pass of their own.
constexpr bool is_piecewise_linear(Activation a) {
  using Kind = Activation::Kind;
  return a.kind == Kind::none || a.kind == Kind::relu || a.kind == Kind::leaky_relu;
}

// Comparisons are written so that a NaN stays a NaN.
struct Identity {
  IPA_HD float value(float x) const { return x; }
  IPA_HD float slope_at(float) const { return 1.0f; }
};
struct Relu {
  IPA_HD float value(float x) const { return x < 0.0f ? 0.0f : x; }
  IPA_HD float slope_at(float y) const { return y > 0.0f ? 1.0f : 0.0f; }
};
struct LeakyRelu {
  float slope;
  // The slope is read on both sides: a load under a condition keeps GCC from vectorising the loop.
  IPA_HD float value(float x) const {
    const float below = slope * x;
    return x < 0.0f ? below : x;
  }
  IPA_HD float slope_at(float y) const {
    const float below = slope;
    return y > 0.0f ? 1.0f : below;
  }
};
struct Tanh {
  IPA_HD float value(float x) const { return std::tanh(x); }
  IPA_HD float slope_at(float y) const { return 1.0f - y * y; }
};
struct Sigmoid {
  IPA_HD float value(float x) const { return 1.0f / (1.0f + std::exp(-x)); }
  IPA_HD float slope_at(float y) const { return y * (1.0f - y); }
};

// Calls `f` with the functor of `a`, so that a loop is compiled once per activation and branches outside itself.
template <class F>
decltype(auto) with_activation(const Activation& a, F&& f) {
  switch (a.kind) {
    case Activation::Kind::relu:
      return f(Relu{});
    case Activation::Kind::leaky_relu:
      return f(LeakyRelu{a.slope});
    case Activation::Kind::tanh:
      return f(Tanh{});
    case Activation::Kind::sigmoid:
      return f(Sigmoid{});
    case Activation::Kind::none:
      break;
  }
  return f(Identity{});
}

// Binary cross-entropy of a logit z with target t in {0, 1}: max(z, 0) - z t + log(1 + exp(-|z|)), safe for any z.
struct BceWithLogits {
  float target;
  IPA_HD float value(float z) const { return (z < 0.0f ? 0.0f : z) - z * target + std::log1p(std::exp(-std::fabs(z))); }
  IPA_HD float slope_at(float z) const { return 1.0f / (1.0f + std::exp(-z)) - target; }
};

// sign(0) is 0, as in PyTorch's derivative of abs; sign(NaN) is NaN.
IPA_HD float sign(float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x; }

}  // namespace ipa
