// ipamedgan train: trains, and goes on by itself where the run folder holds a checkpoint.
#include <fmt/core.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/output.h"
#include "apps/train_run.h"
#include "engine/error.h"

namespace ipa {
namespace {

struct Arguments {
  std::string train, preset;
  std::optional<std::filesystem::path> config;
  std::vector<std::string> set;
  TrainRequest request;
};

std::vector<std::filesystem::path> comma_separated(const std::string& text) {
  std::vector<std::filesystem::path> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    if (end == begin)
      fail(ErrorKind::usage, "an empty name among the stacks", "--train " + text, "separate them by one comma");
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

void run(Arguments& arguments, const Common& common) {
  TrainRequest& request = arguments.request;
  request.train = comma_separated(arguments.train);
  if (request.stop_at && *request.stop_at < 1)
    fail(ErrorKind::usage, "the step to stop at must be positive", "--steps", "give the number of steps to train for");
  request.settings_given = !arguments.preset.empty() || arguments.config || !arguments.set.empty();
  request.settings = load_settings(arguments.preset, arguments.config, arguments.set);
  if (common.seed) request.seed = static_cast<std::int64_t>(*common.seed);
  request.place = find_launch_place();
  const bool first = !request.place || request.place->rank == 0;
  Common own = common;
  own.quiet |= !first;
  request.quiet = own.quiet;
  request.device = open_device(own, request.place ? request.place->local_rank : 0);
  if (request.dry_run) {
    const TrainPlan plan = plan_training(request);
    if (!first) return;
    common.json ? print_json(to_json(plan)) : print(plan);
    require_space(plan);
    return;
  }
  const TrainOutcome outcome = train(request);
  if (!first) return;
  if (common.json) {
    nlohmann::ordered_json result{
        {"run", request.run.string()}, {"begun_at", outcome.begun_at}, {"step", outcome.step}};
    result["best_psnr_mask"] =
        outcome.best_psnr_mask ? nlohmann::ordered_json(*outcome.best_psnr_mask) : nlohmann::ordered_json();
    result["seconds"] = outcome.seconds;
    print_json(result);
  } else {
    print_line(fmt::format("{}: at step {}{}", request.run.string(), outcome.step,
                           outcome.best_psnr_mask
                               ? fmt::format(", best validation {:.2f} dB in the mask", *outcome.best_psnr_mask)
                               : std::string()));
  }
}

}  // namespace

void declare_train(Command& command) {
  auto a = std::make_shared<Arguments>();
  command.describe(
      "Trains the networks.",
      "Where the run folder holds a checkpoint, training goes on from it, bit for bit as if never interrupted.\n"
      "Several processes that torchrun, mpirun or srun starts train together, each with train.batch slices a step.",
      {"train --run runs/a --train train.h5 --val val.h5 --preset practical",
       "train --run runs/a --train train.h5 --val val.h5 --preset practical --dry-run",
       "train --run runs/a --train a.h5,b.h5 --set train.batch=4 --set loss.style=0 --steps 2000"});
  command.option("--run", "DIR", a->request.run, "Folder of the run, made where missing", Need::required);
  command.option("--train", "S.h5[,...]", a->train, "Stacks to train with (see prepare)", Need::required);
  command.option("--val", "V.h5", a->request.val,
                 "Stack of other subjects: keeps the best checkpoint, calibrates the change map");
  command.option("--preset", "NAME", a->preset, "paper (default), practical or demo");
  command.option("--config", "F.toml", a->config, "Settings laid over the preset");
  command.option("--set", "KEY=VALUE", a->set, "One setting, laid over both; may be repeated");
  command.option("--steps", "N", a->request.stop_at, "Step to stop at (default: train.steps, else train.epochs)");
  command.option("--vgg", "F.h5", a->request.vgg,
                 "VGG-19 weights of the style loss (the script get-vgg19 fetches them)");
  command.flag("--dry-run", a->request.dry_run, "Check everything, time a few steps, print the plan; write nothing");
  command.flag("--ranks-changed", a->request.ranks_changed, "Go on with another number of processes than before");
  command.flag("--shared-subjects", a->request.shared_subjects, "Let --val have subjects of --train");
  command.run([a](const Common& common) { run(*a, common); });
}

}  // namespace ipa
