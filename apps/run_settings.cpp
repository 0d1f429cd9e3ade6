#include "apps/run_settings.h"

#include <fmt/core.h>

#include "engine/error.h"
#include "io/run_folder.h"

namespace ipa {
namespace {

// What may change between the sessions of a run: how long it goes on and what it saves, not what it computes.
bool may_change(const std::string& key) {
  return key == "train.steps" || key == "train.epochs" || key.starts_with("checkpoint.") ||
         key.starts_with("validate.");
}

void require_same_course(const Settings& stored, const Settings& settings, const std::filesystem::path& run) {
  std::string changed;
  for (const std::string& key : differing_keys(stored, settings))
    if (!may_change(key)) changed += (changed.empty() ? "" : ", ") + key;
  if (!changed.empty())
    fail(ErrorKind::usage, "the run was begun with other settings: " + changed, run.string(),
         "go on without --preset, --config, --set and --seed, or choose another --run");
}

}  // namespace

Settings settings_of_run(const TrainRequest& request, const std::optional<Checkpoint>& latest, int processes) {
  Settings settings = request.settings;
  if (latest) {
    const Settings stored = parse_settings(latest->settings, checkpoint_path(request.run, latest->step).string());
    if (!request.settings_given) settings = stored;
    if (request.seed) settings.train.seed = *request.seed;
    require_same_course(stored, settings, request.run);
    if (latest->step > 0 && latest->ranks != processes && !request.ranks_changed)
      fail(ErrorKind::usage, fmt::format("the run has {} processes so far, not {}", latest->ranks, processes),
           request.run.string(), "start as many, or go on with another number by --ranks-changed");
  } else if (request.seed) {
    settings.train.seed = *request.seed;
  }
  if (request.stop_at) settings.train.steps = *request.stop_at;
  return settings;
}

}  // namespace ipa
