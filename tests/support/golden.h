// A golden file of tests/golden: PyTorch's results in double, with how far its own float32, and in some files its mixed
// precision (bf16), lie from them.
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

  // Of the array as our tensor. Four dimensions: images NCHW are NHWC, weights OIHW are OHWI. Three, Gram matrices
  // (N, C, C), are (N, 1, C, C) in the same order; one is a vector, none a scalar.
  Shape nhwc_shape(const std::string& name) const;
  void fill(const std::string& name, const Tensor& t) const;

  // Relative distance of `values` (thinned as the file's array is) over PyTorch float32's own distance from double.
  double distance_in_float32_errors(const std::string& name, const std::vector<float>& values) const;
  // The same of a tensor of ours, put in the file's order first (images also where the file's array is thinned).
  double distance_in_float32_errors(const std::string& name, const Tensor& t) const;

  // The same over PyTorch bf16's own distance.
  double distance_in_bf16_errors(const std::string& name, const std::vector<float>& values) const;
  double distance_in_bf16_errors(const std::string& name, const Tensor& t) const;
  // Of all `gradients` of a network as one vector; they have their names after grad/TERM/.
  double network_distance_in_bf16_errors(const std::string& term, const std::string& network,
                                         const WeightMap& gradients) const;

  // Arrays whose name starts with `prefix`, without it.
  WeightMap under(const std::string& prefix) const;

 private:
  struct Squares {
    double difference = 0, norm = 0;
    double relative_distance() const;
  };
  Squares squares(const std::string& name, const std::vector<float>& values) const;
  std::vector<float> in_file_order(const std::string& name, const Tensor& t) const;

  WeightMap arrays_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace ipa::test
