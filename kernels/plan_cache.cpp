#include "kernels/plan_cache.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string_view>

namespace ipa {
namespace {

namespace fs = std::filesystem;

// FNV-1a, 64 bits (Fowler, Noll and Vo).
std::uint64_t hash(std::string_view text) {
  std::uint64_t h = 14695981039346656037u;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return h;
}

// "ipamedgan plan 1 HASH\nKEY\nPLAN"; the hash is that of all after its line.
std::string entry(const std::string& key, const std::string& plan) {
  const std::string body = key + "\n" + plan;
  return fmt::format("ipamedgan plan 1 {:016x}\n", hash(body)) + body;
}

std::string read(const fs::path& path) {
  std::error_code failed;
  if (!fs::is_regular_file(path, failed)) return {};
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::string refusal(const PlanTrial& trial, const PlanLimits& limits) {
  if (trial.workspace_bytes > limits.workspace_bytes)
    return fmt::format("wants {} bytes of workspace, {} are reserved", trial.workspace_bytes, limits.workspace_bytes);
  if (!(trial.error <= limits.error))
    return fmt::format("relative error {:.2g}, over {:.2g}", trial.error, limits.error);
  if (!(trial.worst <= 10 * limits.error))
    return fmt::format("an element is off by {:.2g} of the root mean square, over {:.2g}", trial.worst,
                       10 * limits.error);
  if (!trial.keeps_nan) return "loses NaNs";
  if (!trial.repeats) return "two runs differ";
  return {};
}

PlanChoice choose_plan(int candidates, int most, const PlanLimits& limits, const TryPlan& try_plan) {
  PlanChoice choice;
  double best = 0;
  for (int i = 0, tried = 0; i < candidates && tried < most; ++i) {
    std::string why_not;
    const std::optional<PlanTrial> trial = try_plan(i, why_not);
    if (trial) {
      ++tried;
      why_not = refusal(*trial, limits);
    }
    if (!why_not.empty() || !trial) {
      choice.refused.push_back(fmt::format("candidate {}: {}", i, why_not));
    } else if (choice.index < 0 || trial->milliseconds < best) {
      choice.index = i;
      best = trial->milliseconds;
    }
  }
  return choice;
}

fs::path PlanCache::path(const std::string& key) const { return folder_ / fmt::format("{:016x}.plan", hash(key)); }

std::optional<std::string> PlanCache::find(const std::string& key) const {
  const std::string text = read(path(key));
  const std::size_t first = text.find('\n');
  if (first == std::string::npos) return {};
  const std::size_t second = text.find('\n', first + 1);
  if (second == std::string::npos) return {};
  std::string plan = text.substr(second + 1);
  if (text != entry(key, plan)) return {};
  return plan;
}

std::string PlanCache::keep(const std::string& key, const std::string& plan) const {
  std::error_code failed;
  fs::create_directories(folder_, failed);
  const fs::path final_path = path(key);
  fs::path temporary = final_path;
  temporary += fmt::format(".{}.new", ::getpid());
  {
    std::ofstream file(temporary, std::ios::binary);
    file << entry(key, plan);
    file.flush();
    if (!file) {
      fs::remove(temporary, failed);
      return plan;
    }
  }
  // A link is made only if there is no file: the first process wins. What is there but of no use is replaced.
  std::string kept = plan;
  if (::link(temporary.c_str(), final_path.c_str()) != 0) {
    if (const auto others = find(key))
      kept = *others;
    else
      fs::rename(temporary, final_path, failed);
  }
  fs::remove(temporary, failed);
  return kept;
}

void PlanCache::forget(const std::string& key) const {
  std::error_code failed;
  fs::remove(path(key), failed);
}

fs::path cache_folder() {
  auto set = [](const char* name) {
    const char* value = std::getenv(name);
    return value && *value ? value : nullptr;
  };
  if (const char* own = set("IPAMEDGAN_CACHE")) return own;
  if (const char* cache = set("XDG_CACHE_HOME")) return fs::path(cache) / "ipamedgan";
  if (const char* home = set("HOME")) return fs::path(home) / ".cache" / "ipamedgan";
  std::error_code failed;
  return fs::temp_directory_path(failed) / "ipamedgan";
}

}  // namespace ipa
