// The networks that settings describe and the memory they need, without allocating any of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/settings.h"
#include "engine/tensor.h"

namespace ipa {

struct NetworkSummary {
  std::string name;
  std::int64_t trainable_parameters = 0;
  Shape output;  // of one slice
};

// generator, one of its two MultiRes-UNets, both discriminators, and VGG-19 (all 16 convolutions, though frozen) on
// slices of data.size.
std::vector<NetworkSummary> describe_networks(const Settings& settings);

struct MemoryPlan {
  std::int64_t batch = 0;
  std::size_t training_step_bytes = 0;          // arena of the whole step: activations, gradients of them, workspace
  std::size_t training_state_bytes = 0;         // weights, statistics, gradients, Adam's moments; VGG-19's weights
  std::size_t inference_bytes = 0;              // arena of the generator
  std::size_t parameters_bytes = 0;             // the generator's weights and statistics
  std::size_t folded_bytes = 0;                 // its weights once more, with batch norm folded in
  std::string training_table, inference_table;  // of the largest storages (graph/plan.h)

  std::size_t training_total_bytes() const { return training_step_bytes + training_state_bytes; }
  std::size_t inference_total_bytes() const { return inference_bytes + parameters_bytes + folded_bytes; }
};

// At train.batch slices of data.size, for a device that need not be there. What lies on it besides: the slices. As a
// trainer plans with `free` bytes left on the device; without: as fast as it can be.
MemoryPlan plan_memory(const Settings& settings, Device device, std::optional<std::size_t> free = {});

}  // namespace ipa
