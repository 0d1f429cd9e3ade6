// Convolution and its gradients by their definition, in double.
#pragma once

#include "graph/ops.h"
#include "tests/support/array.h"

namespace ipa::test {

Array conv_reference(const Array& x, const Array& w, const Array& bias, ConvAttributes t);  // bias (1,1,1,Co)
Array dgrad_reference(const Array& dy, const Array& w, const Shape& x_shape, ConvAttributes t);
Array wgrad_reference(const Array& x, const Array& dy, const Shape& w_shape, ConvAttributes t);

}  // namespace ipa::test
