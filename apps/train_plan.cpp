#include "apps/train_plan.h"

#include <fmt/core.h>
#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/output.h"
#include "apps/settings_json.h"
#include "apps/units.h"
#include "engine/error.h"
#include "engine/machine.h"
#include "io/run_folder.h"
#include "io/run_lock.h"

namespace fs = std::filesystem;

namespace ipa {
namespace {

// The folder itself, or the nearest one above it that exists.
fs::path existing(fs::path folder) {
  std::error_code none;
  folder = fs::absolute(folder, none);
  while (!fs::exists(folder, none) && folder != folder.parent_path()) folder = folder.parent_path();
  return folder;
}

std::string counted(std::int64_t n, std::string_view what) {
  return fmt::format("{} {}{}", grouped(n), what, n == 1 ? "" : "s");
}

std::string time_text(const TrainPlan& p) {
  std::string text =
      fmt::format("about {} for {} at {} each (measured over {})", readable_duration(p.seconds()),
                  counted(p.steps(), "step"), readable_duration(p.seconds_per_step), counted(p.timed_steps, "step"));
  if (p.validations() > 0)
    text += fmt::format(", with {} of {}", counted(p.validations(), "validation"),
                        readable_duration(p.seconds_per_validation));
  return text;
}

}  // namespace

MemoryNeed require_memory(const Settings& settings, std::int64_t batch, Device device) {
  Settings actual = settings;
  actual.train.batch = batch;
  const std::size_t free = memory_of(device).free;
  const MemoryNeed need{plan_memory(actual, device, free), free};
  if (need.bytes() > need.free)
    fail(ErrorKind::device,
         fmt::format("training needs {} of memory, {} are free", readable_bytes(need.bytes()),
                     readable_bytes(need.free)),
         describe(device),
         "lower train.batch or net.width, or free some; `ipamedgan info --memory` tells what takes it");
  return need;
}

void DiskNeed::add_network(const Parameters& network) {  // weights, statistics, two moments
  checkpoint_bytes += sizeof(float) * static_cast<std::size_t>(network.count() + 2 * network.trainable_count());
}

void DiskNeed::look_at(const fs::path& folder, std::int64_t saves, std::int64_t keep, bool validates) {
  std::error_code none;
  std::int64_t present = 0;
  if (fs::is_directory(folder, none)) {
    const std::vector<CheckpointFile> found = find_checkpoints(folder);
    present = static_cast<std::int64_t>(found.size());
    for (const CheckpointFile& file : found) there += fs::file_size(file.path, none);
    if (fs::exists(best_path(folder), none)) there += fs::file_size(best_path(folder), none);
  }
  files = saves > 0 ? std::min(keep, present + saves) + (validates ? 1 : 0) + 1 : 0;
  free = fs::space(existing(folder), none).available;
}

std::int64_t TrainPlan::times(std::int64_t every) const {
  return steps() > 0 ? total / every - begins_at / every + (total % every ? 1 : 0) : 0;
}

double TrainPlan::seconds() const {
  return static_cast<double>(steps()) * seconds_per_step + static_cast<double>(validations()) * seconds_per_validation;
}

std::optional<Checkpoint> look_into_run(const fs::path& folder) {
  const fs::path there = existing(folder);
  std::error_code none;
  if (!fs::is_directory(there, none) || ::access(there.c_str(), W_OK | X_OK) != 0)
    fail(ErrorKind::io,
         there == fs::absolute(folder, none) ? "cannot write into the run folder" : "cannot make the run folder",
         folder.string(), fmt::format("check the path and the permissions of {}", there.string()));
  if (there != fs::absolute(folder, none)) return std::nullopt;
  RunLock::require_free(folder);
  return load_latest(folder, [](const std::string& text) { warn(text); });
}

void print(const TrainPlan& p) {
  const auto line = [](std::string_view name, const std::string& text) {
    print_line(fmt::format("{:<13}{}", name, text));
  };
  const Settings& s = p.settings;
  print_line(fmt::format("{}: a dry run, nothing is written", p.run.string()));
  line("begins", p.begins_at > 0 ? fmt::format("at step {}, where the last checkpoint is", grouped(p.begins_at))
                                 : "anew, at step 0");
  line("ends", fmt::format("at step {}, {:.1f} epochs of {}", grouped(p.total),
                           static_cast<double>(p.total) / static_cast<double>(p.steps_per_epoch),
                           counted(p.steps_per_epoch, "step")));
  line("data",
       fmt::format("{} slices of {}x{}, {} a step; {}", grouped(p.slices), s.data.size, s.data.size, p.step_size,
                   p.held_out > 0 ? fmt::format("{} of {} held-out slices to validate with", grouped(p.validated),
                                                grouped(p.held_out))
                                  : "no validation, no change map without --val"));
  line("runs on", describe(p.device) + (p.device.is_cpu() ? ", " + counted(omp_get_max_threads(), "thread") : "") +
                      (p.processes > 1 ? fmt::format(", in each of {} processes", p.processes) : ""));
  for (const NetworkSummary& n : describe_networks(s))
    if (n.name != "multires_unet" && (n.name != "vgg19" || s.loss.style > 0))
      line(n.name, fmt::format("{} parameters{}", grouped(n.trainable_parameters),
                               n.name == "vgg19"
                                   ? fmt::format(", frozen, of which the first {} layers are used", s.loss.style_layers)
                                   : ""));
  const MemoryPlan& m = p.memory.plan;
  line("memory",
       fmt::format("{}: a step {}, weights, gradients and moments {}, inference {} within the step's; {} free",
                   readable_bytes(p.memory.bytes()), readable_bytes(m.training_step_bytes),
                   readable_bytes(m.training_state_bytes), readable_bytes(m.inference_bytes),
                   readable_bytes(p.memory.free)));
  line("checkpoints", fmt::format("{} each, every {}; at most {} files, {}; {} free",
                                  readable_bytes(p.disk.checkpoint_bytes), counted(s.checkpoint.every, "step"),
                                  p.disk.files, readable_bytes(p.disk.bytes()), readable_bytes(p.disk.free)));
  line("time", p.timed_steps > 0 ? time_text(p) : "none, the run is done: --steps sets another goal");
}

nlohmann::ordered_json to_json(const TrainPlan& p) {
  using Json = nlohmann::ordered_json;
  Json networks = Json::array();
  for (const NetworkSummary& n : describe_networks(p.settings))
    networks.push_back({{"name", n.name}, {"trainable_parameters", n.trainable_parameters}});
  const MemoryPlan& m = p.memory.plan;
  return {{"run", p.run.string()},
          {"begins_at", p.begins_at},
          {"total_steps", p.total},
          {"steps_per_epoch", p.steps_per_epoch},
          {"slices", p.slices},
          {"slices_per_step", p.step_size},
          {"held_out", p.held_out},
          {"validated", p.validated},
          {"device", p.device.is_cpu() ? "cpu" : fmt::format("cuda:{}", p.device.index)},
          {"threads", omp_get_max_threads()},
          {"processes", p.processes},
          {"networks", networks},
          {"memory",
           {{"bytes", p.memory.bytes()},
            {"training_step_bytes", m.training_step_bytes},
            {"training_state_bytes", m.training_state_bytes},
            {"inference_bytes", m.inference_bytes},
            {"folded_bytes", m.folded_bytes},
            {"free_bytes", p.memory.free}}},
          {"checkpoints",
           {{"saves", p.saves()},
            {"bytes", p.disk.checkpoint_bytes},
            {"most_files", p.disk.files},
            {"most_bytes", p.disk.bytes()},
            {"free_bytes", p.disk.free}}},
          {"time",
           {{"timed_steps", p.timed_steps},
            {"seconds_per_step", p.seconds_per_step},
            {"validations", p.validations()},
            {"seconds_per_validation", p.seconds_per_validation},
            {"seconds", p.seconds()}}},
          {"settings", settings_json(p.settings)}};
}

void require_space(const TrainPlan& p) {
  if (p.disk.fits()) return;
  fail(ErrorKind::io,
       fmt::format("the checkpoints need {}, {} are free", readable_bytes(p.disk.bytes() - p.disk.there),
                   readable_bytes(p.disk.free)),
       p.run.string(), "free some, choose a --run on another disk, or lower checkpoint.keep");
}

}  // namespace ipa
