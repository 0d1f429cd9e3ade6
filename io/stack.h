// Stacks of slices in HDF5 files: /images (N, H, W) and what may stand beside it (docs/file_formats.md).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/atomic_file.h"
#include "io/foreign_file.h"
#include "io/hdf5.h"
#include "io/intensity.h"

namespace ipa {

struct StackInfo {
  std::string dataset;  // where the slices are: "images", ...
  hdf5::Shape shape;    // as stored: (N, H, W), (N, H, W, 1) or (N, 1, H, W)
  uint64_t count = 0, height = 0, width = 0;
  NumberType type = NumberType::u8;  // u8, u16, i16, f32 or f64
  std::vector<std::string> subject;  // per slice, or empty
  std::vector<int32_t> slice_index;  // per slice, or empty
  std::vector<float> spacing;        // mm; 2 or 3 numbers, or empty
  std::string modality, source;      // or empty
  std::optional<Range> intensity_range;
};

// Used by one thread at a time.
class StackReader {
 public:
  // `dataset` empty: the first of images, image, data, slices, reconstruction_rss, reconstruction_esc.
  explicit StackReader(const std::filesystem::path& path, const std::string& dataset = "",
                       uint64_t most_bytes = uint64_t{16} << 30);
  const StackInfo& info() const { return info_; }
  const ForeignFile& file() const { return file_; }
  uint64_t slice_bytes() const { return info_.height * info_.width * bytes_of(info_.type); }

  // Slices [first, first + count) as stored. A NaN or infinite pixel is an input error that names its slice.
  void read(uint64_t first, uint64_t count, void* out) const;
  void read_scaled(uint64_t first, uint64_t count, float* out);  // to [-1, 1] by range() of each

  // The intensities that stand for -1 and 1 in a slice: intensity_range; without it 0..255 for u8, else the minimum and
  // the 99.5th percentile over all slices of its subject (of the whole stack where it names no subjects). The latter
  // are computed when first asked for, in two passes over the subject's slices.
  Range range(uint64_t slice);

  // Another dataset of the same file with a slice for each of ours ("masks", "target", "change", "tumour"), or nothing
  // where there is none. Its ranges are ours, so that both are scaled alike.
  std::optional<StackReader> companion(const std::string& name);

 private:
  StackReader(ForeignFile file, const std::string& dataset);
  void describe();
  std::string where() const;

  ForeignFile file_;
  std::optional<ForeignDataset> images_;
  StackInfo info_;
  std::map<std::string, Range> ranges_;  // per subject
  std::vector<char> buffer_;
};

class StackWriter {
 public:
  StackWriter(const std::filesystem::path& goal, bool overwrite);

  // Declares an array of slices; shape[0] is the number known in advance, or 0 where append() shall extend it.
  void declare(const std::string& name, NumberType type, const hdf5::Shape& shape);
  void append(const std::string& name, uint64_t count, const void* slices);

  void describe(const StackInfo& info);  // subject, slice_index, spacing, modality, source, intensity_range
  hdf5::File& file() { return file_; }   // for what else is to be stored

  // Copies every dataset and attribute of the source that is not here yet, but of the source's images only the
  // attributes, to "images"; returns the names of the datasets of a kind that cannot be copied.
  std::vector<std::string> copy_extras(const StackReader& source);

  void commit();        // every declared array must be full
  AtomicFile& close();  // the same, to be put in place by the caller with others that belong to it

 private:
  struct Array {
    hdf5::Dataset dataset;
    uint64_t filled = 0;
    bool growing = false;
  };
  AtomicFile goal_;
  hdf5::File file_;
  std::map<std::string, Array> arrays_;
};

}  // namespace ipa
