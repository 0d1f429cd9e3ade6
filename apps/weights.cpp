// ipamedgan export and import: all weights as safetensors, by the names of docs/file_formats.md.
#include <fmt/core.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/gan_state.h"
#include "apps/output.h"
#include "engine/error.h"
#include "io/atomic_file.h"
#include "io/run_folder.h"
#include "io/run_lock.h"
#include "io/safetensors.h"

namespace ipa {
namespace {

struct Export {
  std::filesystem::path model, out;
};

void run(const Export& a, const Common& common) {
  const Checkpoint checkpoint = load_model(a.model, [](const std::string& text) { warn(text); });
  Safetensors content;
  content.arrays = checkpoint.weights;
  content.metadata = {{"format", "pt"},
                      {"producer", "ipamedgan " IPA_VERSION},
                      {"step", std::to_string(checkpoint.step)},
                      {"settings", checkpoint.settings}};
  write_safetensors(a.out, content, common.force);
  std::int64_t numbers = 0;
  for (const NamedArray& w : content.arrays) numbers += static_cast<std::int64_t>(w.values.size());
  if (common.json)
    print_json(
        {{"out", a.out.string()}, {"step", checkpoint.step}, {"tensors", content.arrays.size()}, {"numbers", numbers}});
  else
    print_line(fmt::format("{}: {} tensors, {:.2f} million numbers, of step {}", a.out.string(), content.arrays.size(),
                           static_cast<double>(numbers) / 1e6, checkpoint.step));
}

struct Import {
  std::filesystem::path weights, run;
  std::string preset;
  std::optional<std::filesystem::path> config;
  std::vector<std::string> set;
};

// Every name must belong to one of the three networks.
void check_names(const WeightMap& weights, const std::string& file) {
  for (const NamedArray& w : weights)
    if (!w.name.starts_with("generator.") && !w.name.starts_with("disc_global.") && !w.name.starts_with("disc_patch."))
      fail(ErrorKind::input, "surplus weight " + w.name, file,
           "names begin with generator., disc_global. or disc_patch.");
}

void run(const Import& a, const Common& common) {
  const Settings settings = load_settings(a.preset, a.config, a.set);
  const Safetensors content = read_safetensors(a.weights);
  check_names(content.arrays, a.weights.string());
  std::error_code error;
  std::filesystem::create_directories(a.run, error);
  if (error) fail(ErrorKind::io, "cannot make the run folder: " + error.message(), a.run.string(), "check the path");
  const RunLock lock(a.run);
  if (!find_checkpoints(a.run).empty() && !common.force)
    fail(ErrorKind::usage, "the run folder holds checkpoints", a.run.string(), "choose another folder or add --force");

  Gan gan;
  declare_gan(gan, settings.net);
  Checkpoint checkpoint;
  for (Parameters* p : {&gan.generator, &gan.disc_global, &gan.disc_patch}) {
    p->allocate(true);
    p->load(content.arrays, a.weights.string());
  }
  snapshot(gan, {}, checkpoint);
  checkpoint.settings = to_toml(settings);
  checkpoint.version = IPA_VERSION;
  checkpoint.created = creation_info();
  // With --force older checkpoints go, once the new one is safe: training must not go on from one of them instead.
  const std::filesystem::path begun = checkpoint_path(a.run, 0);
  write_checkpoint(begun, checkpoint);
  for (const CheckpointFile& old : find_checkpoints(a.run))
    if (old.path != begun) std::filesystem::remove(old.path);
  std::filesystem::remove(best_path(a.run));
  std::filesystem::remove(a.run / "metrics.csv");
  write_file(a.run / "settings.toml", checkpoint.settings);
  if (common.json)
    print_json({{"run", a.run.string()}, {"tensors", content.arrays.size()}});
  else
    print_line(fmt::format("{}: begun with {} tensors", a.run.string(), content.arrays.size()));
}

}  // namespace

void declare_export(Command& command) {
  auto a = std::make_shared<Export>();
  command.describe(
      "Writes all weights of a model as safetensors.",
      "Names and layouts are PyTorch's (docs/file_formats.md, \"Weight names\"); batch-norm statistics included.",
      {"export --model runs/a --out weights.safetensors"});
  command.option("--model", "RUN_OR_FILE", a->model,
                 "Run folder (its best checkpoint, else the newest), or a checkpoint", Need::required);
  command.option("--out", "W.safetensors", a->out, "File to write", Need::required);
  command.run([a](const Common& common) { run(*a, common); });
}

void declare_import(Command& command) {
  auto a = std::make_shared<Import>();
  command.describe(
      "Begins a run folder with weights from a safetensors file.",
      "The file must hold every weight of the generator and both discriminators, and nothing else. The settings\n"
      "(net.width, net.disc_width, net.residual, ...) must be those the weights were trained with.",
      {"import --weights weights.safetensors --run runs/b --preset paper",
       "import --weights w.safetensors --run runs/b --set net.width=16 --set net.disc_width=32"});
  command.option("--weights", "W.safetensors", a->weights, "Weights by the names that `export` writes", Need::required);
  command.option("--run", "DIR", a->run, "Folder of the run, made where missing", Need::required);
  command.option("--preset", "NAME", a->preset, "paper (default), practical, hour or demo");
  command.option("--config", "F.toml", a->config, "Settings laid over the preset");
  command.option("--set", "KEY=VALUE", a->set, "One setting, laid over both; may be repeated");
  command.run([a](const Common& common) { run(*a, common); });
}

}  // namespace ipa
