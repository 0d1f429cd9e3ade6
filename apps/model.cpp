#include "apps/model.h"

#include "apps/output.h"
#include "io/run_folder.h"
#include "kernels/change_map.h"
#include "nets/multires_unet.h"

namespace ipa {

Model load_trained(const std::filesystem::path& run_or_file, Device device) {
  const Checkpoint checkpoint = load_model(run_or_file, [](const std::string& text) { warn(text); });
  Model model;
  model.source = run_or_file;
  model.settings = parse_settings(checkpoint.settings, run_or_file.string());
  model.step = checkpoint.step;
  model.version = checkpoint.version;
  if (const auto found = checkpoint.calibration.find("change_threshold"); found != checkpoint.calibration.end()) {
    model.change_threshold = found->second;
    model.calibrated = true;
    if (const auto rate = checkpoint.calibration.find("false_change"); rate != checkpoint.calibration.end())
      model.false_change = rate->second;
  } else {
    model.change_threshold = default_change_threshold;
  }
  model.generator = std::make_unique<Parameters>("generator", device);
  declare_generator(*model.generator, model.settings.net);
  model.generator->allocate(false, compute_type_on(device));
  model.generator->load(checkpoint.weights, run_or_file.string());
  return model;
}

}  // namespace ipa
