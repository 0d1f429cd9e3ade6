#include "apps/inpaint_files.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "apps/mask_file.h"
#include "apps/output.h"
#include "apps/progress.h"
#include "apps/slices.h"
#include "engine/error.h"
#include "engine/pipeline.h"
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

// Reads, computes and writes `count` slices, some at once, each at the same time as the others: read(first, batch)
// fills a batch's slices, ranges and masks (its ranges say how many are wanted), write(first, batch) takes its result
// and change.
template <class Read, class Write>
void inpaint_slices(SliceInpainter& inpainter, std::uint64_t count, bool quiet, Read read, Write write) {
  constexpr std::uint64_t depth = 3;
  const auto most = static_cast<std::uint64_t>(inpainter.slices_at_once());
  std::array<InpaintBatch, depth> ring;
  Progress progress("inpaint", "slice", static_cast<std::int64_t>(count), quiet);
  const auto last_of = [&](std::uint64_t item) { return std::min(count, (item + 1) * most); };
  const std::vector<Stage> stages{[&](std::uint64_t item) {
                                    InpaintBatch& batch = ring[item % depth];
                                    batch.ranges.resize(last_of(item) - item * most);
                                    read(item * most, batch);
                                    inpainter.scale(batch);
                                  },
                                  [&](std::uint64_t item) { inpainter.infer(ring[item % depth]); },
                                  [&](std::uint64_t item) {
                                    inpainter.compose(ring[item % depth]);
                                    write(item * most, ring[item % depth]);
                                    progress.update(static_cast<std::int64_t>(last_of(item)));
                                  }};
  run_pipeline((count + most - 1) / most, depth, stages, 1);
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
  inpaint_slices(
      inpainter, info.count, files.quiet,
      [&](std::uint64_t first, InpaintBatch& batch) {
        const std::size_t n = size.pixels(), count = batch.count();
        batch.type = info.type;
        batch.size = size;
        batch.slices.resize(count * in.slice_bytes());
        in.read(first, count, batch.slices.data());
        batch.ranges = ranges_of(in, first, count);
        if (!masks) return;
        batch.masks.resize(count * n);
        for (std::size_t i = 0; i < count; ++i)
          masks->read(static_cast<std::int64_t>(first + i), std::span(batch.masks).subspan(i * n, n));
      },
      [&](std::uint64_t, const InpaintBatch& batch) {
        out.append("images", batch.count(), batch.result.data());
        out.append("change", batch.count(), batch.change.data());
      });
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
  inpaint_slices(
      inpainter, cut.count(), files.quiet,
      [&](std::uint64_t first, InpaintBatch& batch) {
        batch.type = NumberType::f32;
        batch.size = size;
        batch.slices.resize(batch.count() * n * sizeof(float));
        auto* slices = reinterpret_cast<float*>(batch.slices.data());
        for (std::size_t i = 0; i < batch.count(); ++i) cut.read(values.data(), first + i, slices + i * n);
        std::ranges::fill(batch.ranges, range);
        if (!masks.empty()) batch.masks.assign(masks.data() + first * n, masks.data() + (first + batch.count()) * n);
      },
      [&](std::uint64_t first, const InpaintBatch& batch) {
        const auto* result = reinterpret_cast<const float*>(batch.result.data());
        for (std::size_t i = 0; i < batch.count(); ++i) {
          cut.write(result + i * n, first + i, values.data());
          cut.write(batch.change.data() + i * n, first + i, reinterpret_cast<std::uint8_t*>(changes.voxels.data()));
        }
      });
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
