// Concatenations and slices that copy nothing, for rewrites.
#pragma once

#include "graph/op.h"

namespace ipa {

// The concatenation or slice `op` of inputs `in` as an op that moves nothing: the narrower tensors lie among the wider
// one's channels (Op::first_channel). None: it is neither, or there is no narrower one.
OpPtr in_place_form(const OpPtr& op, Specs in);

}  // namespace ipa
