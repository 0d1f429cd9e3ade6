#include "apps/inpaint_files.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "apps/mask_file.h"
#include "apps/output.h"
#include "apps/progress.h"
#include "apps/slices.h"
#include "engine/error.h"
#include "io/atomic_file.h"
#include "io/percentile.h"
#include "io/stack.h"
#include "io/volume.h"

namespace fs = std::filesystem;

namespace ipa {
namespace {

fs::path change_name(const fs::path& out) {
  std::string name = out.string();
  for (const char* ending : {".gz", ".nii"})
    if (name.ends_with(ending)) name.erase(name.size() - std::strlen(ending));
  return name + "_change.nii.gz";
}

// One mask per slice of the volume, from a volume of the same shape.
std::vector<std::uint8_t> volume_masks(const fs::path& path, const Nifti& volume, const AxialCut& cut) {
  const Nifti mask = read_nifti(path);
  if (mask.size != volume.size)
    fail(ErrorKind::input,
         fmt::format("a mask of {}x{}x{} voxels where the volume has {}x{}x{}", mask.size[0], mask.size[1],
                     mask.size[2], volume.size[0], volume.size[1], volume.size[2]),
         path.string(), "resample it to the volume");
  for (std::size_t row = 0; row < 3; ++row)
    for (std::size_t column = 0; column < 4; ++column)
      if (std::abs(mask.affine[row][column] - volume.affine[row][column]) > 1e-3)
        fail(ErrorKind::input, "the mask lies elsewhere than the volume (their affines differ)", path.string(),
             "resample it to the volume");
  const std::vector<float> values = finite_values_of(mask, path);
  std::vector<std::uint8_t> voxels(values.size()), slices(values.size());
  std::ranges::transform(values, voxels.begin(), [](float v) { return static_cast<std::uint8_t>(v != 0); });
  for (std::uint64_t s = 0; s < cut.count(); ++s)
    cut.read(voxels.data(), s, slices.data() + s * cut.height() * cut.width());
  return slices;
}

}  // namespace

void inpaint_stack(SliceInpainter& inpainter, const Model& model, const InpaintFiles& files) {
  StackReader in(files.in, files.dataset);
  const StackInfo& info = in.info();
  const PlaneSize size = plane_size(in);
  std::optional<MaskFile> masks;
  if (files.mask) masks.emplace(*files.mask).require_size(size, files.in);

  StackWriter out(files.out, files.force);
  out.declare("images", info.type, info.shape);
  out.declare("change", NumberType::u8, info.shape);
  Progress progress("inpaint", "slice", static_cast<std::int64_t>(info.count), files.quiet);
  const std::size_t n = size.pixels();
  std::vector<char> slices, result;
  std::vector<std::uint8_t> change, mask;
  for (std::uint64_t first = 0; first < info.count;) {
    const std::uint64_t count =
        std::min<std::uint64_t>(static_cast<std::uint64_t>(inpainter.batch()), info.count - first);
    slices.resize(count * in.slice_bytes());
    result.resize(slices.size());
    change.resize(count * n);
    if (masks) {
      mask.resize(count * n);
      for (std::uint64_t i = 0; i < count; ++i)
        masks->read(static_cast<std::int64_t>(first + i), std::span(mask).subspan(i * n, n));
    }
    in.read(first, count, slices.data());
    inpainter.run(info.type, slices.data(), ranges_of(in, first, count), size, mask, result.data(), change);
    out.append("images", count, result.data());
    out.append("change", count, change.data());
    first += count;
    progress.update(static_cast<std::int64_t>(first));
  }
  out.describe(info);
  for (const std::string& name : out.copy_extras(in)) warn(fmt::format("cannot copy {}, left out", name));
  out.file().set_text("/", "inpainted_by", fmt::format("ipamedgan {}, model of step {}", IPA_VERSION, model.step));
  out.file().set_text("/", "notice", "Research use only. Synthesised content; not for diagnostic use.");
  out.commit();
}

void inpaint_volume(SliceInpainter& inpainter, const InpaintFiles& files) {
  for (const fs::path& goal : {change_name(files.out), files.out}) AtomicFile::check(goal, files.force);
  Nifti volume = read_nifti(files.in);
  const AxialCut cut(volume);
  const PlaneSize size{static_cast<int>(cut.height()), static_cast<int>(cut.width())};
  const std::size_t n = size.pixels(), element = bytes_of(volume.type);
  std::vector<float> values = finite_values_of(volume, files.in);
  const Range range = robust_range([&](const auto& visit) { visit(values); });
  std::vector<std::uint8_t> masks;
  if (files.mask) masks = volume_masks(*files.mask, volume, cut);

  Nifti changes = like(volume, NumberType::u8);
  std::vector<float> slices, result;
  std::vector<std::uint8_t> change;
  Progress progress("inpaint", "slice", static_cast<std::int64_t>(cut.count()), files.quiet);
  for (std::uint64_t first = 0; first < cut.count();) {
    const std::uint64_t count =
        std::min<std::uint64_t>(static_cast<std::uint64_t>(inpainter.batch()), cut.count() - first);
    slices.resize(count * n);
    result.resize(slices.size());
    change.resize(slices.size());
    for (std::uint64_t i = 0; i < count; ++i) cut.read(values.data(), first + i, slices.data() + i * n);
    const std::vector<Range> ranges(count, range);
    const auto mask = masks.empty() ? std::span<const std::uint8_t>()
                                    : std::span<const std::uint8_t>(masks).subspan(first * n, count * n);
    inpainter.run(NumberType::f32, slices.data(), ranges, size, mask, result.data(), change);
    for (std::uint64_t i = 0; i < count; ++i) {
      cut.write(result.data() + i * n, first + i, values.data());
      cut.write(change.data() + i * n, first + i, reinterpret_cast<std::uint8_t*>(changes.voxels.data()));
    }
    first += count;
    progress.update(static_cast<std::int64_t>(first));
  }
  // Only what changed passes through the file's slope and rounding.
  std::vector<char> stored(volume.voxels.size());
  store_values(volume, values.data(), values.size(), stored.data());
  for (std::size_t v = 0; v < values.size(); ++v) {
    char *was = volume.voxels.data() + v * element, *is = stored.data() + v * element;
    if (inpainter.composite() == Composite::none) changes.voxels[v] = std::memcmp(was, is, element) != 0;
    if (changes.voxels[v]) std::memcpy(was, is, element);
  }
  AtomicFile change_file(change_name(files.out), files.force), file(files.out, files.force);
  write_nifti(change_file, change_name(files.out), changes);
  write_nifti(file, files.out, volume);
  AtomicFile::commit({&change_file, &file});
}

}  // namespace ipa
