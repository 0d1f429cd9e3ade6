// A 3x3 convolution for kernels/winograd.h or winograd_wgrad.h: what is computed, with which options, on which slices.
#pragma once

#include "kernels/conv.h"

namespace ipa::test {

template <class Options>
struct WinogradCase {
  Shape x;
  std::int64_t out;
  Options options = {};
  std::int64_t beside = 0;  // channels of the wider tensors that the slices are taken from

  Shape w() const { return {out, 3, 3, x.c}; }
  Shape y() const { return {x.n, x.h, x.w, out}; }
  ConvGeometry geometry() const { return {x, w(), y(), 1, 1, 1}; }
};

}  // namespace ipa::test
