// ipamedgan doctor: what this machine offers to the program, what is missing, and how to get it.
#include <fmt/core.h>
#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/network_report.h"
#include "apps/output.h"
#include "apps/settings.h"
#include "apps/units.h"
#include "apps/vgg_file.h"
#include "engine/error.h"
#include "engine/machine.h"
#include "engine/mpi_plugin.h"
#include "io/hdf5.h"
#include "io/vgg_import.h"
#include "kernels/libraries.h"
#include "kernels/plan_cache.h"
#include "kernels/simd_level.h"

namespace fs = std::filesystem;

namespace ipa {
namespace {

using Json = nlohmann::ordered_json;

enum class State { ok, note, missing };  // note: something could be had; missing: the main job cannot be done
constexpr const char* state_names[] = {"ok", "note", "missing"};

struct Finding {
  std::string name, found;
  State state = State::ok;
  std::string remedy = {};
};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// Convolutions choose their instruction set when the program runs; that of the rest was chosen at its compilation.
Finding look_at_processor(const Processor& p) {
  std::string found = p.name.empty() ? "unknown" : p.name;
  if (p.cores > 0) found += fmt::format(", {} core{}", p.cores, p.cores == 1 ? "" : "s");
  if (!p.features.empty()) found += "; " + joined(p.features);
  const std::string ours = compiled_for();
  const auto has = [&](std::string_view name) { return std::ranges::count(p.features, name) > 0; };
  if (!ours.empty() && !has(ours))
    return {"processor", found, State::missing,
            fmt::format("this program was compiled for {}: build it here, or with -DIPA_NATIVE=OFF", ours)};
  const std::string widest = has("AVX-512") ? "AVX-512" : has("AVX2") ? "AVX2" : "";
  if (!widest.empty()) {
    constexpr const char* chosen[] = {"SSE2", "AVX2", "AVX-512"};  // SimdLevel, on x86-64
    found += fmt::format("; convolutions use {}, the rest of our code was compiled for {}",
                         chosen[static_cast<int>(simd_level())], ours.empty() ? "any x86-64" : ours);
  }
  if (ours != widest)
    return {"processor", found, State::note, fmt::format("built here, the rest would use {}", widest)};
  return {"processor", found};
}

Finding look_at_threads(const Processor& p) {
  const int threads = omp_get_max_threads();
  Finding f{"threads", fmt::format("{} will be used, this process may run on {} logical processor{}", threads, p.usable,
                                   p.usable == 1 ? "" : "s")};
  if (p.share > 0) f.found += fmt::format(", for the time of {:.3g}", p.share);
  if (threads > p.usable || (p.share > 0 && threads > p.share + 0.5)) {
    f.state = State::note;
    f.remedy = fmt::format("more threads than that wait for each other: --threads {}",
                           p.share > 0 ? std::max(1, std::min(p.usable, static_cast<int>(p.share))) : p.usable);
  }
  return f;
}

// The presets whose training fits, at their own batch.
Finding look_at_memory(const Memory& memory, Device device) {
  Finding f{device.is_cpu() ? "memory" : "memory of " + fmt::format("cuda:{}", device.index),
            fmt::format("{} of {} free", readable_bytes(memory.free), readable_bytes(memory.total))};
  std::vector<std::string> fit, too_large;
  for (const Preset& preset : presets()) {
    const std::size_t need =
        plan_memory(load_settings(preset.name, {}, {}), device, memory.free).training_total_bytes();
    (need <= memory.free ? fit : too_large).push_back(fmt::format("{} ({})", preset.name, readable_bytes(need)));
  }
  if (!fit.empty()) f.found += "; enough to train " + joined(fit);
  if (!too_large.empty()) {
    f.state = fit.empty() ? State::missing : State::note;
    f.remedy = "too little to train " + joined(too_large) + ": lower train.batch, or free some";
  }
  return f;
}

Finding look_at_gpus(const DeviceChoice& asked, std::vector<std::string>& usable) {
  for (int i = 0; device_problem({Device::Kind::cuda, i}).empty(); ++i)
    usable.push_back(describe({Device::Kind::cuda, i}));
  if (!usable.empty()) {
    if (const std::string why = device_problem(asked.device); !why.empty())
      return {"GPU", joined(usable), State::missing, why};
    return {"GPU", joined(usable)};
  }
  const std::vector<std::string> there = nvidia_gpus();
  const std::string why = device_problem({Device::Kind::cuda, 0});
  Finding f{"GPU", (there.empty() ? "" : joined(there) + "; ") + "not used: " + why, State::ok, ""};
  if (!there.empty() || !asked.automatic) {
    f.state = !asked.device.is_cpu() ? State::missing : State::note;
    f.remedy = built_with_cuda()
                   ? "install NVIDIA's driver, and see with nvidia-smi whether it finds the GPU; CUDA_VISIBLE_DEVICES "
                     "may hide it"
                   : "install the CUDA toolkit, cuDNN and NCCL (third_party/README.md) and build with -DIPA_CUDA=ON";
  }
  return f;
}

Finding look_at_hdf5() {
  const std::vector<std::string> missing = hdf5::missing_filters();
  if (missing.empty()) return {"HDF5", hdf5::library_version() + " with deflate, shuffle and fletcher32"};
  return {"HDF5", hdf5::library_version() + " without " + joined(missing), State::missing,
          "install an HDF5 with these filters (Debian's libhdf5-103 has them)"};
}

Finding look_at_vgg19() {
  const fs::path path = vgg19_path();
  const std::string remedy =
      fmt::format("the style loss, of all presets but demo, needs it: {}, or --set loss.style=0", get_vgg19_script());
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return {"VGG-19", "not found at " + path.string(), State::note, remedy};
  try {
    read_vgg19(path, static_cast<int>(Settings{}.loss.style_layers));
    return {"VGG-19", path.string()};
  } catch (const Error& error) {
    return {"VGG-19", error.what(), State::note, remedy};
  }
}

// Without writing: of the folder, or of that in which it would be made.
Finding look_at_cache(bool needed) {
  const fs::path folder = cache_folder();
  fs::path there = folder;
  std::error_code none;
  while (!fs::exists(there, none) && there.has_parent_path() && there != there.parent_path())
    there = there.parent_path();
  if (fs::is_directory(there, none) && ::access(there.c_str(), W_OK | X_OK) == 0) return {"cache", folder.string()};
  return {"cache", folder.string() + " cannot be written", needed ? State::note : State::ok,
          "the plans chosen for a GPU would be chosen anew in every run: name another folder with IPAMEDGAN_CACHE"};
}

void print(const std::vector<Finding>& findings) {
  std::size_t width = 0;
  for (const Finding& f : findings) width = std::max(width, f.name.size());
  for (const Finding& f : findings) {
    print_line(fmt::format("{:<9}{:<{}}  {}", state_names[static_cast<int>(f.state)], f.name, width, f.found));
    if (!f.remedy.empty()) print_line(fmt::format("{:<{}}-> {}", "", 9 + width + 2, f.remedy));
  }
}

void run(const Common& common) {
  const Processor cpu = processor();
  std::vector<std::string> usable;
  std::vector<Finding> findings{look_at_processor(cpu), look_at_threads(cpu)};
  findings.push_back(look_at_gpus(common.device, usable));
  const bool on_gpu = !usable.empty() && (common.device.automatic || !common.device.device.is_cpu());
  Device device = common.device.device;
  if (on_gpu && (common.device.automatic || findings.back().state == State::missing)) device = {Device::Kind::cuda, 0};
  if (!on_gpu) device = {};
  const Memory memory = memory_of(device);
  findings.insert(findings.begin() + 2, look_at_memory(memory, device));
  for (const Library& l : libraries()) {
    const State state = l.problem.empty() ? State::ok : on_gpu ? State::missing : State::note;
    findings.push_back({l.name, l.version, state, l.problem});
  }
  findings.push_back(look_at_hdf5());
  const MpiPlugin mpi = load_mpi_plugin(IPA_VERSION);
  findings.push_back({"MPI", mpi.begin ? mpi.library : "not used, processes sum over TCP: " + mpi.problem});
  findings.push_back(look_at_vgg19());
  findings.push_back(look_at_cache(on_gpu));
  std::vector<std::string> missing;
  for (const Finding& f : findings)
    if (f.state == State::missing) missing.push_back(f.name);

  if (common.json) {
    Json checks = Json::array();
    for (const Finding& f : findings)
      checks.push_back({{"name", f.name},
                        {"state", state_names[static_cast<int>(f.state)]},
                        {"found", f.found},
                        {"remedy", f.remedy.empty() ? Json(nullptr) : Json(f.remedy)}});
    print_json({{"version", IPA_VERSION},
                {"ok", missing.empty()},
                {"device", device.is_cpu() ? "cpu" : fmt::format("cuda:{}", device.index)},
                {"threads", omp_get_max_threads()},
                {"cores", cpu.cores},
                {"features", cpu.features},
                {"free_bytes", memory.free},
                {"total_bytes", memory.total},
                {"gpus", usable},
                {"checks", checks}});
  } else {
    print_line("ipamedgan " IPA_VERSION);
    print(findings);
  }
  if (!missing.empty())
    fail(ErrorKind::device, "this machine lacks what the main job needs: " + joined(missing), "doctor",
         "the lines marked \"missing\" say how to get it");
}

}  // namespace

void declare_doctor(Command& command) {
  command.describe(
      "Says what this machine offers, what is missing, and how to get it.",
      "\"note\" marks what could be better, \"missing\" what training and inpainting cannot do without;\n"
      "only the latter ends it with exit code 5. --device, --threads and the environment count as in train.",
      {"doctor", "doctor --device cuda", "doctor --json"});
  command.run(run);
}

}  // namespace ipa
