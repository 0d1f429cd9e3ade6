#include "engine/machine.h"

#include <sched.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "engine/cuda/runtime.h"
#include "engine/on_device.h"

namespace fs = std::filesystem;

namespace ipa {
namespace {

std::string read_text(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Calls f(key, value) for each line "key : value".
template <class F>
void each_line(const fs::path& path, F f) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(':');
    if (colon == line.npos) continue;
    const auto end = line.find_last_not_of(" \t", colon - 1), begin = line.find_first_not_of(" \t", colon + 1);
    f(line.substr(0, end + 1), begin == line.npos ? "" : line.substr(begin));
  }
}

// Calls f for the folders of this process's control group (version 2), the innermost first.
template <class F>
void each_control_group(F f) {
  std::string own;
  each_line("/proc/self/cgroup", [&](const std::string& id, const std::string& rest) {
    if (id == "0" && rest.starts_with(":/")) own = rest.substr(2);
  });
  const fs::path root = "/sys/fs/cgroup";
  for (fs::path group = root / own;; group = group.parent_path()) {
    f(group);
    if (group == root || !group.has_relative_path()) return;
  }
}

}  // namespace

Processor processor() {
  Processor p;
  std::set<std::string> cores;
  std::string package;
  each_line("/proc/cpuinfo", [&](const std::string& key, const std::string& value) {
    if (key == "model name" && p.name.empty()) p.name = value;
    if (key == "physical id") package = value;
    if (key == "core id") cores.insert(package + ":" + value);
  });
  p.cores = static_cast<int>(cores.size());
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) p.usable = CPU_COUNT(&set);
  each_control_group([&](const fs::path& group) {
    double quota = 0, period = 0;
    if (std::istringstream(read_text(group / "cpu.max")) >> quota >> period; quota > 0 && period > 0)
      p.share = p.share == 0 ? quota / period : std::min(p.share, quota / period);
  });
#if defined(__x86_64__)
  const auto have = [&](bool there, const char* name) {
    if (there) p.features.emplace_back(name);
  };
  have(__builtin_cpu_supports("avx2"), "AVX2");
  have(__builtin_cpu_supports("fma"), "FMA");
  have(__builtin_cpu_supports("avx512f"), "AVX-512");
  have(__builtin_cpu_supports("avx512vnni"), "AVX-512 VNNI");
  have(__builtin_cpu_supports("avx512bf16"), "AVX-512 BF16");
#endif
  return p;
}

std::string compiled_for() {
#if defined(__AVX512F__)
  return "AVX-512";
#elif defined(__AVX2__)
  return "AVX2";
#else
  return "";
#endif
}

Memory memory_of(Device device) {
  Memory memory;
  if constexpr (cuda_built)
    if (!device.is_cpu()) {
      cuda::memory_of(device.index, memory.free, memory.total);
      return memory;
    }
  each_line("/proc/meminfo", [&](const std::string& key, const std::string& value) {
    const std::size_t bytes = std::strtoull(value.c_str(), nullptr, 10) << 10;
    if (key == "MemTotal") memory.total = bytes;
    if (key == "MemAvailable") memory.free = bytes;
  });
  each_control_group([&](const fs::path& group) {
    std::size_t most = 0, used = 0;
    if (!(std::istringstream(read_text(group / "memory.max")) >> most)) return;  // "max": no limit
    std::istringstream(read_text(group / "memory.current")) >> used;
    memory.total = std::min(memory.total, most);
    memory.free = std::min(memory.free, most - std::min(used, most));
  });
  return memory;
}

fs::path program_prefix() {
  std::error_code none;
  return fs::read_symlink("/proc/self/exe", none).parent_path().parent_path();
}

std::vector<std::string> nvidia_gpus() {
  std::vector<std::string> names;
  std::error_code none;
  for (const fs::directory_entry& gpu : fs::directory_iterator("/proc/driver/nvidia/gpus", none))
    each_line(gpu.path() / "information", [&](const std::string& key, const std::string& value) {
      if (key == "Model") names.push_back(value);
    });
  return names;
}

}  // namespace ipa
