// ipamedgan prepare: NIfTI volumes and HDF5 stacks -> one training stack.
#include "io/prepare.h"

#include <fmt/core.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/output.h"
#include "apps/progress.h"

namespace ipa {
namespace {

void run(PrepareOptions options, std::int64_t size, const Common& common) {
  options.size = static_cast<std::uint64_t>(within("--size", size, 16, 4096));
  options.overwrite = common.force;
  options.seed = common.seed.value_or(0);
  Progress progress("prepare", "", 100, common.quiet);
  options.progress = [&](double done, const std::filesystem::path& input) {
    progress.update(static_cast<std::int64_t>(100 * done), input.filename().string());
  };
  const PrepareSummary summary = prepare(options);
  if (summary.shared_subject)
    warn(
        fmt::format("all slices are of one subject, {}: training and validation share it, scores will flatter; `train` "
                    "takes such stacks with --shared-subjects only",
                    summary.subjects.front()));

  if (common.json) {
    nlohmann::ordered_json inputs = nlohmann::ordered_json::array();
    for (const PreparedInput& input : summary.inputs)
      inputs.push_back({{"file", input.path.string()},
                        {"subjects", input.subjects},
                        {"slices", input.slices},
                        {"dropped", input.dropped}});
    nlohmann::ordered_json result = {{"out", options.out.string()},  {"slices", summary.slices},
                                     {"dropped", summary.dropped},   {"size", size},
                                     {"subjects", summary.subjects}, {"inputs", inputs}};
    if (options.holdout)
      result["holdout"] = {{"out", options.holdout_out.string()},
                           {"slices", summary.held_slices},
                           {"subjects", summary.held_subjects},
                           {"shared_subject", summary.shared_subject}};
    print_json(result);
  } else {
    print_line(fmt::format("{}: {} slices {}x{} of {} subjects; {} slices with too little foreground left out",
                           options.out.string(), summary.slices, size, size, summary.subjects.size(), summary.dropped));
    if (options.holdout)
      print_line(fmt::format("{}: {} slices of {} subjects, held out", options.holdout_out.string(),
                             summary.held_slices, summary.held_subjects.size()));
  }
}

}  // namespace

void declare_prepare(Command& command) {
  auto options = std::make_shared<PrepareOptions>();
  auto size = std::make_shared<std::int64_t>(256);
  command.describe(
      "Makes one training stack (u8) of NIfTI volumes and HDF5 stacks.",
      "Volumes are cut into axial slices and resampled, slices padded or cropped around their centre;\n"
      "intensities from 0 to each subject's 99.5th percentile become 0 to 255. Subjects are kept.\n"
      "--holdout writes a part to a second stack, to validate with: whole subjects, drawn by --seed; where there\n"
      "is only one, evenly spaced blocks of at most 8 neighbouring slices.",
      {"prepare sub-*/anat/*_FLAIR.nii.gz --out train.h5", "prepare scan.nii.gz --spacing 2 --size 128 --out small.h5",
       "prepare sub-*.nii.gz --out train.h5 --holdout 0.1 --holdout-out validation.h5",
       "prepare fastmri.h5 --dataset reconstruction_rss --out train.h5"});
  command.option("INPUT", "", options->inputs, "NIfTI volumes (.nii, .nii.gz) and HDF5 stacks", Need::required);
  command.option("--out", "S.h5", options->out, "Stack to write", Need::required);
  command.option("--dataset", "PATH", options->dataset, "Of HDF5 inputs (default: images, image, data, ...)");
  command.option("--spacing", "MM", options->spacing_mm, "Of the slices' pixels and between slices (default: 1)");
  command.option("--size", "PIXELS", *size, "Side of the slices (default: 256)");
  command.option("--min-foreground", "F", options->min_foreground,
                 "Leave out slices with a smaller part of their pixels above 10 of 255 (default: 0.05)");
  command.option("--modality", "NAME", options->modality, "To record (default: that of the first stack that has one)");
  command.option("--holdout", "FRACTION", options->holdout, "Part to keep out of training, between 0 and 1");
  command.option("--holdout-out", "V.h5", options->holdout_out, "Stack to write it to");
  command.run([options, size](const Common& common) { run(*options, *size, common); });
}

}  // namespace ipa
