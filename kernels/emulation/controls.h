// What a test may ask of the emulator. Everything here holds for all launches that follow, on any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/emulation/site.h"

namespace ipa::emulation {

// 0 (at first): threads run in order, each as far as it can. Else: a random order per block, fixed by the seed and the
// block's number, which shows a missing barrier as a wrong result. Try several: half of them let one warp run far
// ahead, half mix all threads.
void set_schedule(std::uint64_t seed);
std::uint64_t schedule();

// Makes the __syncthreads or __syncwarp at `place` ("kernels/batch_norm.cuh:57", any trailing part of the path) do
// nothing, as if it had been forgotten; an empty place ends this. At first: the environment's IPA_EMULATION_SKIP.
void skip_barrier(std::string_view place);

// Every place of a __syncthreads or __syncwarp that was completed so far, as "path:line", sorted.
// Also appended, one a line, to the file that the environment's IPA_EMULATION_TRACE names when the process ends.
std::vector<std::string> executed_barriers();

namespace detail {
bool skips(const Site& site);
void note_barrier(const Site& site);
}  // namespace detail

}  // namespace ipa::emulation
