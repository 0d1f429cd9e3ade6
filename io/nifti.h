// NIfTI-1 and NIfTI-2 volumes in one file (.nii, .nii.gz), either byte order. What a file says beside its voxels
// (header, extensions) is kept byte for byte, so that a volume is written back as the kind of file it came from.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "io/atomic_file.h"
#include "io/number_type.h"

namespace ipa {

using Affine =
    std::array<std::array<double, 4>, 3>;  // voxel index (i, j, k, 1) -> mm, x to the right, y anterior, z superior

struct Nifti {
  std::string head;  // everything before the voxels: header, extensions, padding
  bool version2 = false, swapped = false;
  NumberType type = NumberType::u8;  // as stored; every type of NumberType
  std::array<uint64_t, 3> size{};    // voxels along i, j, k; i varies fastest
  std::array<double, 3> spacing{};   // mm, the lengths of the affine's columns
  double slope = 1, inter = 0;       // value = slope * stored + inter
  Affine affine{};                   // of sform, else of qform, else of pixdim with x to the left (as nibabel)
  std::vector<char> voxels;          // as stored, in this machine's byte order

  uint64_t count() const { return size[0] * size[1] * size[2]; }
};

// Three dimensions, or more where those beyond the third are 1. Sizes are checked against the file's length (gzip
// expands at most 1032-fold) and `most_bytes` before anything is allocated. Errors: ErrorKind::io, ErrorKind::input.
Nifti read_nifti(const std::filesystem::path& path, uint64_t most_bytes = uint64_t{16} << 30);

// Compressed where the name ends in ".gz"; atomic.
void write_nifti(const std::filesystem::path& goal, const Nifti& volume, bool overwrite);
void write_nifti(const AtomicFile& file, const std::filesystem::path& goal, const Nifti& volume);  // put in place later

bool is_nifti_name(const std::filesystem::path& path);  // ends in .nii or .nii.gz

// The same geometry with voxels of another type, all 0, slope 1, inter 0.
Nifti like(const Nifti& volume, NumberType type);

std::vector<float> values_of(const Nifti& volume);  // slope * stored + inter

// The same; a value that is NaN or infinite is an ErrorKind::input that names its voxel and `path`.
std::vector<float> finite_values_of(const Nifti& volume, const std::filesystem::path& path);

// Values to what is stored: undoes slope and inter, rounds and clamps integers.
void store_values(const Nifti& volume, const float* values, uint64_t count, void* stored);

}  // namespace ipa
