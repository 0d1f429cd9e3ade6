// Batch norm in training mode, written plainly in double.
#pragma once

#include "tests/support/array.h"

namespace ipa::test {

struct NaiveBatchNorm {
  Array y, running_mean, running_var;  // after the pass
};

// gamma may be null: 1.
NaiveBatchNorm naive_batch_norm(const Array& x, const Array* gamma, const Array& beta, const Array& running_mean,
                                const Array& running_var, double eps, double momentum);

}  // namespace ipa::test
