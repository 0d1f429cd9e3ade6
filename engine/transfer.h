// Between the host and tensors of any device, in any storage type. These wait for the device's work: never in a step.
#pragma once

#include <span>
#include <vector>

#include "engine/tensor.h"

namespace ipa {

std::vector<float> to_host(const Tensor& t);  // packed, in the order of the shape; of f32 and bf16

// Rounds where the tensor is bf16, and writes its padding as 0. `values` as many as the shape has elements.
void from_host(std::span<const float> values, const Tensor& t);

// Bytes as they lie in memory.
void copy_to_device(const void* host, std::size_t bytes, void* memory, Device device);
void copy_to_host(const void* memory, Device device, std::size_t bytes, void* host);

}  // namespace ipa
