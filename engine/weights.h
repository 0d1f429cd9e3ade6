// Named arrays: what passes between networks and files. Names and layouts are those of docs/file_formats.md "Weight
// names": float32, convolutions (out, in, kh, kw), transposed convolutions (in, out, kh, kw), as in PyTorch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ipa {

struct NamedArray {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<float> values;  // row-major, as many as the product of the shape

  bool operator==(const NamedArray&) const = default;
};

using WeightMap = std::vector<NamedArray>;  // in the order of the network; files keep it

}  // namespace ipa
