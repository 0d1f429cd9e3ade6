// Inpainting from file to file.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "apps/slice_inpainter.h"

namespace ipa {

struct InpaintFiles {
  std::filesystem::path in, out;
  std::optional<std::filesystem::path> mask;
  std::string dataset;
  bool force = false, quiet = false;
};

// Streams the slices of a stack; copies what stands beside them.
void inpaint_stack(SliceInpainter& inpainter, const Model& model, const InpaintFiles& files);

// A NIfTI volume, and its change map in NAME_change.nii.gz.
void inpaint_volume(SliceInpainter& inpainter, const InpaintFiles& files);

}  // namespace ipa
