#include "apps/info_model.h"

#include <fmt/core.h>

#include <map>
#include <nlohmann/json.hpp>

#include "apps/network_report.h"
#include "apps/output.h"
#include "apps/settings_json.h"
#include "apps/units.h"
#include "io/run_folder.h"

namespace ipa {
namespace {

using Json = nlohmann::ordered_json;

Json networks_json(const Settings& settings) {
  Json networks = Json::array();
  for (const NetworkSummary& n : describe_networks(settings))
    networks.push_back({{"name", n.name},
                        {"trainable_parameters", n.trainable_parameters},
                        {"output_shape", {n.output.h, n.output.w, n.output.c}}});
  return networks;
}

Json memory_json(const Settings& settings, Device device) {
  const MemoryPlan m = plan_memory(settings, device);
  return {{"device", device.is_cpu() ? "cpu" : "cuda"},
          {"batch", m.batch},
          {"training_step_bytes", m.training_step_bytes},
          {"training_state_bytes", m.training_state_bytes},
          {"training_total_bytes", m.training_total_bytes()},
          {"inference_bytes", m.inference_bytes},
          {"parameters_bytes", m.parameters_bytes},
          {"folded_bytes", m.folded_bytes},
          {"inference_total_bytes", m.inference_total_bytes()}};
}

void print_networks(const Settings& settings) {
  print_line(fmt::format("\n{:<16}{:>12}  output of a {} x {} slice", "network", "trainable", settings.data.size,
                         settings.data.size));
  for (const NetworkSummary& n : describe_networks(settings))
    print_line(fmt::format("{:<16}{:>12}  {} x {} x {}", n.name, grouped(n.trainable_parameters), n.output.h,
                           n.output.w, n.output.c));
}

void print_memory(const Settings& settings, Device device) {
  const MemoryPlan m = plan_memory(settings, device);
  print_line(fmt::format("\nTraining step{}, batch {}: {}; with {} of weights, gradients and moments {}\n{}",
                         device.is_cpu() ? "" : " on CUDA", m.batch, readable_bytes(m.training_step_bytes),
                         readable_bytes(m.training_state_bytes), readable_bytes(m.training_total_bytes()),
                         m.training_table));
  print_line(fmt::format("Inference, batch {}: {}; with {} of weights, once more folded {}\n{}", m.batch,
                         readable_bytes(m.inference_bytes), readable_bytes(m.parameters_bytes + m.folded_bytes),
                         readable_bytes(m.inference_total_bytes()), m.inference_table));
}

void print_details(const Settings& settings, bool memory, Device device) {
  print_networks(settings);
  if (memory) print_memory(settings, device);
  print_line("\n" + to_toml(settings));
}

}  // namespace

void show_settings(const Settings& settings, const std::string& origin, bool memory, const Common& common) {
  if (common.json) {
    Json result{{"kind", "settings"}, {"preset", origin}, {"networks", networks_json(settings)}};
    if (memory) result["memory"] = memory_json(settings, common.device.device);
    result["settings"] = settings_json(settings);
    print_json(result);
    return;
  }
  print_line("settings     preset " + origin);
  print_details(settings, memory, common.device.device);
}

void show_checkpoint(const std::filesystem::path& run_or_file, bool memory, const Common& common) {
  const bool run = std::filesystem::is_directory(run_or_file);
  const Checkpoint checkpoint = load_model(run_or_file, [](const std::string& text) { warn(text); });
  const Settings settings = parse_settings(checkpoint.settings, run_or_file.string());
  std::vector<std::int64_t> steps;
  if (run)
    for (const CheckpointFile& file : find_checkpoints(run_or_file)) steps.push_back(file.step);
  const bool best = run && std::filesystem::exists(best_path(run_or_file));
  std::map<std::string, std::int64_t> values;  // by network, running statistics with them
  for (const NamedArray& w : checkpoint.weights)
    values[w.name.substr(0, w.name.find('.'))] += static_cast<std::int64_t>(w.values.size());

  if (common.json) {
    Json result{{"kind", run ? "run" : "checkpoint"}, {"file", run_or_file.string()}};
    if (run) result["checkpoints"] = steps, result["best"] = best;
    result["step"] = checkpoint.step;
    result["epoch"] = checkpoint.epoch;
    result["processes"] = checkpoint.ranks;
    result["version"] = checkpoint.version;
    result["created"] = checkpoint.created;
    result["score"] = checkpoint.score ? Json(*checkpoint.score) : Json(nullptr);
    result["calibration"] = Json::object();
    for (const auto& [name, figure] : checkpoint.calibration) result["calibration"][name] = figure;
    result["values"] = values;
    result["networks"] = networks_json(settings);
    if (memory) result["memory"] = memory_json(settings, common.device.device);
    result["settings"] = settings_json(settings);
    print_json(result);
    return;
  }
  print_line(fmt::format("{}: step {}, epoch {}{}", run_or_file.string(), checkpoint.step, checkpoint.epoch,
                         checkpoint.ranks > 1 ? fmt::format(", {} processes", checkpoint.ranks) : ""));
  print_line(fmt::format("written      {}, ipamedgan {}", checkpoint.created, checkpoint.version));
  if (run)
    print_line(fmt::format("run          {} checkpoints{}", steps.size(), best ? " and the best, shown here" : ""));
  print_line("validation   " +
             (checkpoint.score ? fmt::format("{:.2f} dB in the mask", *checkpoint.score) : std::string("none yet")));
  for (const auto& [name, figure] : checkpoint.calibration)
    print_line(fmt::format("calibrated   {} {:.6g}", name, figure));
  for (const auto& [network, count] : values)
    print_line(fmt::format("holds        {} ({} values with statistics)", network, grouped(count)));
  print_details(settings, memory, common.device.device);
}

}  // namespace ipa
