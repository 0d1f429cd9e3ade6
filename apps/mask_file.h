// Files of masks: /masks u8 (N, H, W), 1 in the hole, as `masks` and `corrupt` write them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "io/foreign_file.h"
#include "kernels/masks.h"
#include "kernels/plane.h"

namespace ipa {

// Read as needed, one mask at a time; whatever is not 0 counts as hole.
class MaskFile {
 public:
  explicit MaskFile(const std::filesystem::path& path);  // throws ErrorKind::io, ErrorKind::input

  std::int64_t count() const { return count_; }
  PlaneSize size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }
  // The mask of a slice: mask i where the counts are equal, else mask i mod count.
  void read(std::int64_t slice, std::span<std::uint8_t> out) const;  // out: size().pixels() values, 0 or 1
  MaskSet read_all() const;                                          // square masks only (ErrorKind::input)

  // Throws ErrorKind::input unless the masks have the slices' size.
  void require_size(PlaneSize slices, const std::filesystem::path& of) const;

 private:
  std::filesystem::path path_;
  ForeignFile file_;
  ForeignDataset masks_;
  std::int64_t count_ = 0;
  PlaneSize size_;
};

}  // namespace ipa
