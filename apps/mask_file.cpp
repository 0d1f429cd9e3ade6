#include "apps/mask_file.h"

#include <fmt/core.h>

#include <algorithm>

#include "engine/error.h"

namespace ipa {
namespace {

constexpr std::uint64_t most_side = 1 << 14;

ForeignDataset find_masks(const ForeignFile& file) {
  if (!file.exists("masks"))
    fail(ErrorKind::input, "no dataset /masks", file.path().string(), "make such a file with `ipamedgan masks`");
  return file.dataset("masks");
}

}  // namespace

MaskFile::MaskFile(const std::filesystem::path& path)
    : path_(path), file_(ForeignFile::open(path)), masks_(find_masks(file_)) {
  hdf5::Shape shape = masks_.shape();
  if (shape.size() == 4 && shape.back() == 1) shape.pop_back();
  const auto side = [](std::uint64_t n) { return n >= 1 && n <= most_side; };
  if (masks_.type() != NumberType::u8 || shape.size() != 3 || shape[0] == 0 || !side(shape[1]) || !side(shape[2]))
    fail(ErrorKind::input, "/masks is not u8 (N, height, width)", path.string(),
         "make such a file with `ipamedgan masks`");
  count_ = static_cast<std::int64_t>(shape[0]);
  size_ = {static_cast<int>(shape[1]), static_cast<int>(shape[2])};
}

void MaskFile::read(std::int64_t slice, std::span<std::uint8_t> out) const {
  require(out.size() == size_.pixels(), "MaskFile::read: the buffer has another size");
  masks_.read_rows(static_cast<std::uint64_t>(slice % count_), 1, NumberType::u8, out.data());
  for (std::uint8_t& pixel : out) pixel = pixel != 0;
}

MaskSet MaskFile::read_all() const {
  if (size_.height != size_.width)
    fail(ErrorKind::input, "the masks are not square", path_.string(), "make others with `ipamedgan masks`");
  MaskSet set{size_.height, masks_.read<std::uint8_t>()};
  for (std::uint8_t& pixel : set.pixels) pixel = pixel != 0;
  return set;
}

void MaskFile::require_size(PlaneSize slices, const std::filesystem::path& of) const {
  if (slices == size_) return;
  fail(ErrorKind::input,
       fmt::format("the masks are {}x{} and the slices of {} {}x{}", size_.height, size_.width, of.string(),
                   slices.height, slices.width),
       path_.string(),
       slices.height == slices.width ? fmt::format("make others with `ipamedgan masks --size {}`", slices.height)
                                     : "both must have the same size");
}

}  // namespace ipa
