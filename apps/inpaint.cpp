// ipamedgan inpaint: fills distorted regions of slices or of a volume, without being told where they are.
#include <fmt/core.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/inpaint_files.h"
#include "apps/network_options.h"
#include "apps/output.h"
#include "engine/error.h"
#include "io/nifti.h"

namespace ipa {
namespace {

struct Arguments {
  std::filesystem::path model;
  InpaintFiles files;
  std::string composite = "auto";
  NetworkArguments network;
};

Composite composite_of(const std::string& name) {
  return name == "none" ? Composite::none : name == "mask" ? Composite::mask : Composite::automatic;
}

void check(const Arguments& a) {
  if (a.composite == "mask" && !a.files.mask)
    fail(ErrorKind::usage, "--composite mask needs a mask", {},
         "name one with --mask, or leave it to --composite auto");
  if (a.composite == "none" && a.files.mask)
    fail(ErrorKind::usage, "--mask has no meaning with --composite none", {}, "use --composite mask");
  if (is_nifti_name(a.files.in) != is_nifti_name(a.files.out))
    fail(ErrorKind::usage, "input and output must be of one kind", a.files.out.string(),
         is_nifti_name(a.files.in) ? "give --out a name ending in .nii.gz" : "give --out a name ending in .h5");
}

void run(Arguments& a, const Common& common) {
  check(a);
  const SliceNetworkOptions options = checked_network_options(a.network);
  const Model model = load_trained(a.model, open_device(common));
  if (a.composite == "auto" && !model.calibrated)
    warn(fmt::format("{} has no calibrated change threshold, {} of the range is used; train with --val to calibrate it",
                     a.model.string(), model.change_threshold / 2));
  a.files.quiet = common.quiet;
  a.files.force = common.force;
  const auto start = std::chrono::steady_clock::now();
  SliceInpainter inpainter(model, composite_of(a.composite), options);
  if (is_nifti_name(a.files.in))
    inpaint_volume(inpainter, a.files);
  else
    inpaint_stack(inpainter, model, a.files);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  const InpaintTotals& t = inpainter.totals();
  const double share = static_cast<double>(t.changed_pixels) / static_cast<double>(t.pixels);
  if (t.large > 0 && a.composite == "auto")
    warn(fmt::format("{} of {} slices changed in more than any training hole covers (6.25 %): look at them", t.large,
                     t.slices));
  if (common.json)
    print_json({{"out", a.files.out.string()},
                {"model", a.model.string()},
                {"model_step", model.step},
                {"composite", a.composite},
                {"views", options.views},
                {"change_threshold", model.change_threshold},
                {"calibrated", model.calibrated},
                {"slices", t.slices},
                {"changed_slices", t.changed_slices},
                {"changed_share", share},
                {"large_changes", t.large},
                {"seconds", seconds},
                {"network_seconds", inpainter.network_seconds()},
                {"slices_per_s", static_cast<double>(t.slices) / seconds},
                {"notice", "Research use only. Synthesised content; not for diagnostic use."}});
  else
    print_line(fmt::format("{}: {} slices in {:.1f} s ({:.1f} a second), {} changed, {:.2f} % of all pixels",
                           a.files.out.string(), t.slices, seconds, static_cast<double>(t.slices) / seconds,
                           t.changed_slices, 100 * share));
}

}  // namespace

void declare_inpaint(Command& command) {
  auto a = std::make_shared<Arguments>();
  command.describe(
      "Fills distorted regions of slices, without being told where they are.",
      "Takes a stack of slices of any size and type, or a NIfTI volume (cut along the axis nearest to superior-\n"
      "inferior), and writes the same shape, type and intensities. By default only what the network repaired\n"
      "is changed; every other pixel stays bit for bit, and /change (for NIfTI a second file,\n"
      "NAME_change.nii.gz) says which those are. Slices larger than the network's are covered by overlapping\n"
      "squares, smaller ones padded.",
      {"inpaint --model runs/a --in corrupted.h5 --out repaired.h5",
       "inpaint --model runs/a --in corrupted.h5 --out repaired.h5 --views 4 --force",
       "inpaint --model runs/a --in scan.nii.gz --out repaired.nii.gz --composite mask --mask lesion.nii.gz"});
  command.option("--model", "RUN_OR_FILE", a->model,
                 "Run folder (its best checkpoint, else the newest), or a checkpoint", Need::required);
  command.option("--in", "S.h5|V.nii.gz", a->files.in, "Stack or volume", Need::required);
  command.option("--out", "FILE", a->files.out, "File to write, of the same kind", Need::required);
  command.option("--dataset", "PATH", a->files.dataset, "Dataset of the stack (default: images, image, data, ...)");
  command.choice("--composite", a->composite, {"auto", "none", "mask"},
                 "What may change: what the network repaired, everything, or the mask (default: auto)");
  command.option("--mask", "M", a->files.mask,
                 "Where changes are allowed: a file of masks, or for a volume one of its shape");
  declare_network_options(command, a->network);
  command.run([a](const Common& common) { run(*a, common); });
}

}  // namespace ipa
