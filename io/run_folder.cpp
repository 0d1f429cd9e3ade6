#include "io/run_folder.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "engine/error.h"

namespace fs = std::filesystem;

namespace ipa {
namespace {

constexpr std::string_view kPrefix = "checkpoint_", kSuffix = ".h5";

std::optional<int64_t> step_of(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix) || name.size() <= kPrefix.size() + kSuffix.size())
    return {};
  const std::string_view digits = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  int64_t step = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  if (error != std::errc() || end != digits.data() + digits.size() || fmt::format("{}", step) != digits || step < 0)
    return {};
  return step;
}

}  // namespace

fs::path checkpoint_path(const fs::path& run_folder, int64_t step) {
  return run_folder / fmt::format("{}{}{}", kPrefix, step, kSuffix);
}

fs::path best_path(const fs::path& run_folder) { return run_folder / "best.h5"; }

std::vector<CheckpointFile> find_checkpoints(const fs::path& run_folder) {
  std::vector<CheckpointFile> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(run_folder, error))
    if (const auto step = step_of(entry.path().filename().string())) found.push_back({*step, entry.path()});
  if (error && error != std::errc::no_such_file_or_directory)
    fail(ErrorKind::io, "cannot list the run folder: " + error.message(), run_folder.string());
  std::ranges::sort(found, {}, &CheckpointFile::step);
  return found;
}

std::optional<Checkpoint> load_latest(const fs::path& run_folder, const Warn& warn, bool with_adam) {
  std::vector<CheckpointFile> files = find_checkpoints(run_folder);
  if (files.empty()) return {};
  for (; !files.empty(); files.pop_back()) {
    try {
      return read_checkpoint(files.back().path, with_adam);
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::input) throw;  // a full disk or a missing permission is no damage
      warn(fmt::format("passing over a damaged checkpoint: {}", e.what()));
    }
  }
  fail(ErrorKind::input, "every checkpoint of the run is damaged", run_folder.string(),
       "restore one from a copy, or choose another --run folder");
}

void prune_checkpoints(const fs::path& run_folder, int64_t newest, int keep) {
  require(keep >= 1, "prune_checkpoints: keep at least one");
  std::vector<CheckpointFile> files = find_checkpoints(run_folder);
  std::erase_if(files, [&](const CheckpointFile& f) { return f.step > newest; });
  for (size_t i = 0; i + static_cast<size_t>(keep) < files.size(); ++i) {
    std::error_code error;
    fs::remove(files[i].path, error);
    if (error) fail(ErrorKind::io, "cannot remove an old checkpoint: " + error.message(), files[i].path.string());
  }
}

std::optional<double> best_score(const fs::path& run_folder) {
  if (!fs::exists(best_path(run_folder))) return {};
  try {
    return read_checkpoint(best_path(run_folder), false).score;
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::input) throw;
    fail(ErrorKind::input, "the run's best checkpoint is damaged", best_path(run_folder).string(),
         "restore it from a copy, or move it away: the next validation writes another");
  }
}

Checkpoint load_model(const fs::path& run_or_file, const Warn& warn, bool with_adam) {
  if (!fs::is_directory(run_or_file)) return read_checkpoint(run_or_file, with_adam);
  if (fs::exists(best_path(run_or_file))) return read_checkpoint(best_path(run_or_file), with_adam);
  if (auto latest = load_latest(run_or_file, warn, with_adam)) return std::move(*latest);
  fail(ErrorKind::io, "no checkpoint in the run folder", run_or_file.string(), "train or import first");
}

}  // namespace ipa
