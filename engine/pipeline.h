// Stages that work on a sequence of items at the same time, each on another item: reading the next while this one is
// computed and the one before is written.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace ipa {

using Stage = std::function<void(std::uint64_t item)>;

// Gives items 0 .. count - 1, in order, to stages[0], then to stages[1], and so on. Stage `here` runs in the calling
// thread (its OpenMP team stays the caller's), each other one in a thread of its own. At most `depth` items are under
// way: a stage sees item i only after the last stage is done with item i - depth, so that their memory can be a ring of
// `depth`. Where a stage throws, the others stop after the item they are at, and the first error is thrown on.
void run_pipeline(std::uint64_t count, std::uint64_t depth, const std::vector<Stage>& stages, std::size_t here);

}  // namespace ipa
