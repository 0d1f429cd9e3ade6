// A golden file of tests/golden: PyTorch's results in double, with how far its own float32 lies from them.
#pragma once

#include <string>
#include <unordered_map>

#include "engine/tensor.h"
#include "engine/weights.h"

namespace ipa::test {

class Golden {
 public:
  explicit Golden(const std::string& name);  // "step": tests/golden/step.safetensors

  const WeightMap& arrays() const { return arrays_; }
  const NamedArray& operator[](const std::string& name) const;
  bool has(const std::string& name) const { return index_.contains(name); }
  double number(const std::string& name) const { return (*this)[name].values.at(0); }
  void fill(const std::string& name, const Tensor& t) const;  // one-channel images: (N, 1, H, W) is (N, H, W, 1)

  // Relative distance of `values` (thinned as the file's array is) over PyTorch float32's own distance from double.
  double distance_in_float32_errors(const std::string& name, const std::vector<float>& values) const;

  // Arrays whose name starts with `prefix`, without it.
  WeightMap under(const std::string& prefix) const;

 private:
  WeightMap arrays_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace ipa::test
