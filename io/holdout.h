// Dividing a stack into one to train with and one to validate with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/stack.h"

namespace ipa {

struct Holdout {
  std::vector<bool> held;       // per slice: kept out of training
  bool shared_subject = false;  // there is but one subject, whose slices stand on both sides
};

// Whole subjects, drawn by `seed`: the fraction of their number, rounded, at least one on each side. Of a single
// subject, the fraction of its slices, rounded: evenly spaced blocks of at most 8 that are neighbours by slice_index.
// `fraction` lies between 0 and 1. Throws ErrorKind::input where there is only one slice.
Holdout choose_holdout(const StackInfo& stack, double fraction, std::uint64_t seed);

// Copies the stack that `prepare` wrote at `whole`: slices that are held out to `held_goal`, the others to `goal`.
void divide_stack(const std::filesystem::path& whole, const Holdout& holdout, const std::filesystem::path& goal,
                  const std::filesystem::path& held_goal, bool overwrite);

}  // namespace ipa
