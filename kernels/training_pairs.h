// The input of a training step, made where the slices lie: of each slice asked for, mirrored or not, the slice itself,
// the mask that kernels/masks.h' draw_mask chooses for it, and the slice with that hole. A function of (seed, step,
// sample) and the slice; every backend chooses the same masks bit for bit.
//
// On CUDA: one block per sample tries masks (a byte per pixel of mask and head flag each, from L2 after the first),
// then one pass writes the three tensors. Bytes: 3 x 16 per pixel written (bf16, one channel of eight), 1 read: for 16
// x 256 x 256 51 MB or 0.012 ms on an H200 (4.3 TB/s). A try reads 2 x 64 KiB in one block, 256 threads of 16 bytes: 16
// loads a thread; a step takes two or three, at most 201.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/stream.h"
#include "engine/tensor.h"
#include "kernels/mask_draw.h"

namespace ipa {

struct PairAttributes {
  std::uint64_t seed = 0;
  float hole = -1;                 // value of the pixels in the hole
  bool flip = false;               // mirror every second sample, by chance
  bool redraw = true;              // masks, until half lies on the head
  std::uint32_t first_sample = 0;  // number of the batch's first sample in the whole step, where ranks share it
};

// For `pairs` (N, S, S, 1). The same on every device.
std::size_t training_pairs_workspace_bytes(const Shape& pairs);

// target, corrupted (N, S, S, 1) in [-1, 1] and mask (0 or 1, 1 in the hole), all f32 or all bf16. slices (count, 1, S,
// S), whose channels are columns, so that no backend pads them: u8 grey levels, or f32 in [-1, 1]; masks (M, 1, S, S)
// u8 of 0 and 1, or none: squares. order (1, 1, 1, N) i32: numbers of slices, each below count; step i32, a scalar. S
// is a multiple of 8.
void make_training_pairs(Stream& stream, Tensor target, Tensor corrupted, Tensor mask, Tensor slices, Tensor masks,
                         Tensor order, Tensor step, PairAttributes attributes, void* workspace);

// The parts of the workspace, and what the drawing leaves there for the writing.
struct PairChoice {
  MaskCandidate mask;
  std::int32_t flipped = 0;
};
struct PairWorkspace {
  std::uint8_t* head;   // (N, S, S): 1 where the sample is brighter than head_threshold
  PairChoice* choices;  // (N)

  PairWorkspace(void* memory, const Shape& pairs)
      : head(static_cast<std::uint8_t*>(memory)), choices(reinterpret_cast<PairChoice*>(head + pairs.elements())) {}
};

namespace cuda {  // training_pairs.cu
decltype(ipa::make_training_pairs) make_training_pairs;
}  // namespace cuda

}  // namespace ipa
