// ipamedgan info: what a file holds, what settings describe.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>

#include "apps/commands.h"
#include "apps/info_model.h"
#include "apps/output.h"
#include "apps/slices.h"
#include "engine/error.h"
#include "io/checkpoint.h"
#include "io/nifti.h"
#include "io/stack.h"

namespace ipa {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::filesystem::path file;
  std::string dataset, preset;
  std::optional<std::filesystem::path> config;
  std::vector<std::string> set;
  bool memory = false;
};

struct Extent {  // of values
  double least = 0, most = 0, mean = 0;
};

// A file of masks is looked at by its masks.
std::string dataset_of(const Arguments& arguments) {
  if (!arguments.dataset.empty()) return arguments.dataset;
  const ForeignFile file = ForeignFile::open(arguments.file);
  return !file.exists("images") && file.exists("masks") ? "masks" : "";
}

Extent extent_of_stack(const StackReader& stack) {
  const size_t pixels = plane_size(stack).pixels();
  std::vector<char> raw(stack.slice_bytes());
  std::vector<float> values(pixels);
  Extent extent{INFINITY, -INFINITY, 0};
  for (std::uint64_t i = 0; i < stack.info().count; ++i) {
    stack.read(i, 1, raw.data());
    to_float(stack.info().type, raw.data(), pixels, values.data());
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    extent.least = std::min<double>(extent.least, *least);
    extent.most = std::max<double>(extent.most, *most);
    extent.mean += std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(pixels);
  }
  extent.mean /= static_cast<double>(stack.info().count);
  return extent;
}

std::string joined(const auto& numbers, std::string_view separator) {
  std::string text;
  for (const auto& number : numbers) text += fmt::format("{}{}", text.empty() ? "" : separator, number);
  return text;
}

std::string joined_spacing(const auto& lengths) {
  std::vector<std::string> rounded;
  for (const double length : lengths) rounded.push_back(fmt::format("{:.4g}", length));
  return joined(rounded, " x ");
}

void show_stack(const Arguments& arguments, const Common& common) {
  const StackReader stack(arguments.file, dataset_of(arguments));
  const StackInfo& info = stack.info();
  const Extent extent = extent_of_stack(stack);
  std::map<std::string, std::uint64_t> subjects;  // slices of each
  for (const std::string& subject : info.subject) ++subjects[subject];
  std::vector<std::string> others;
  for (const std::string& name : stack.file().members())
    if (name != info.dataset) others.push_back(name);
  const auto& range = info.intensity_range;

  if (common.json) {
    print_json({{"kind", "stack"},
                {"file", arguments.file.string()},
                {"dataset", info.dataset},
                {"shape", info.shape},
                {"dtype", name_of(info.type)},
                {"slices", info.count},
                {"height", info.height},
                {"width", info.width},
                {"minimum", extent.least},
                {"maximum", extent.most},
                {"mean", extent.mean},
                {"intensity_range", range ? Json{range->lo, range->hi} : Json(nullptr)},
                {"spacing", info.spacing.empty() ? Json(nullptr) : Json(info.spacing)},
                {"subjects", subjects},
                {"modality", info.modality},
                {"source", info.source},
                {"others", others}});
    return;
  }
  print_line(fmt::format("{}: {} slices of {}x{} {} in /{}", arguments.file.string(), info.count, info.height,
                         info.width, name_of(info.type), info.dataset));
  print_line(fmt::format("intensities  {:.6g} to {:.6g}, {:.6g} on average{}", extent.least, extent.most, extent.mean,
                         range ? fmt::format(", range {:.6g} to {:.6g}", range->lo, range->hi) : ""));
  if (!subjects.empty()) print_line(fmt::format("subjects     {}", subjects.size()));
  if (!info.spacing.empty()) print_line(fmt::format("spacing      {} mm", joined_spacing(info.spacing)));
  if (!info.modality.empty()) print_line("modality     " + info.modality);
  if (!info.source.empty()) print_line("source       " + info.source);
  if (!others.empty()) print_line("beside it    " + joined(others, ", "));
}

void show_volume(const Arguments& arguments, const Common& common) {
  const Nifti volume = read_nifti(arguments.file);
  const std::vector<float> values = values_of(volume);
  Extent extent{INFINITY, -INFINITY, 0};
  for (const float value : values) {
    extent.least = std::min<double>(extent.least, value);
    extent.most = std::max<double>(extent.most, value);
    extent.mean += value;
  }
  extent.mean /= static_cast<double>(values.size());
  if (common.json) {
    print_json({{"kind", "volume"},
                {"file", arguments.file.string()},
                {"shape", volume.size},
                {"dtype", name_of(volume.type)},
                {"spacing", volume.spacing},
                {"affine", volume.affine},
                {"minimum", extent.least},
                {"maximum", extent.most},
                {"mean", extent.mean}});
    return;
  }
  print_line(fmt::format("{}: {} voxels, {}", arguments.file.string(), joined(volume.size, "x"), name_of(volume.type)));
  print_line(fmt::format("intensities  {:.6g} to {:.6g}, {:.6g} on average", extent.least, extent.most, extent.mean));
  print_line(fmt::format("spacing      {} mm", joined_spacing(volume.spacing)));
}

void run(const Arguments& arguments, const Common& common) {
  const bool settings_given = !arguments.preset.empty() || arguments.config || !arguments.set.empty();
  if (arguments.file.empty()) {
    const Settings settings = load_settings(arguments.preset, arguments.config, arguments.set);
    show_settings(settings, arguments.preset.empty() ? "paper" : arguments.preset, arguments.memory, common);
    return;
  }
  if (settings_given)
    fail(ErrorKind::usage, "a file has its own settings", arguments.file.string(),
         "give either a file or --preset, --config and --set");
  const bool volume = is_nifti_name(arguments.file);
  if (!volume && (std::filesystem::is_directory(arguments.file) || is_checkpoint(arguments.file))) {
    show_checkpoint(arguments.file, arguments.memory, common);
    return;
  }
  if (arguments.memory)
    fail(ErrorKind::usage, "--memory is about networks, not slices", arguments.file.string(),
         "give a run, a checkpoint or a preset");
  volume ? show_volume(arguments, common) : show_stack(arguments, common);
}

}  // namespace

void declare_info(Command& command) {
  auto arguments = std::make_shared<Arguments>();
  command.describe("Shows what a run, a checkpoint, a stack or a volume holds, or which networks settings describe.",
                   "Without a file: the networks of a preset, with --config and --set laid over it as in train.",
                   {"info runs/a", "info train.h5", "info scan.nii.gz --json", "info --preset practical --memory",
                    "info --set net.width=16 --set train.batch=4 --memory --json"});
  command.option("FILE", "", arguments->file, "Run folder, checkpoint, stack (HDF5) or volume (.nii, .nii.gz)");
  command.option("--dataset", "PATH", arguments->dataset, "A stack's dataset (default: images, image, data, ...)");
  command.option("--preset", "NAME", arguments->preset, "paper (default), practical, hour or demo");
  command.option("--config", "F.toml", arguments->config, "Settings laid over the preset");
  command.option("--set", "KEY=VALUE", arguments->set, "One setting, laid over both; may be repeated");
  command.flag("--memory", arguments->memory, "The memory plan of a training step and of inference");
  command.run([arguments](const Common& common) { run(*arguments, common); });
}

}  // namespace ipa
