#include "kernels/emulation/controls.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <set>

#include "engine/error.h"

namespace ipa::emulation {
namespace {

struct Controls {
  std::atomic<std::uint64_t> seed{0};
  std::atomic<int> skipped_line{0};  // 0: none; compared first, so that nothing else costs where nothing is skipped
  std::string skipped_path;
  std::mutex mutex;
  std::set<std::string> executed;

  void skip(std::string_view place) {
    skipped_line = 0;
    if (place.empty()) return;
    const std::size_t colon = place.rfind(':');
    const int line = colon == std::string_view::npos ? 0 : std::atoi(std::string(place.substr(colon + 1)).c_str());
    if (line <= 0) fail(ErrorKind::usage, "no barrier to skip", place, "write path:line");
    skipped_path = place.substr(0, colon);
    skipped_line = line;
  }

  Controls() {
    if (const char* place = std::getenv("IPA_EMULATION_SKIP")) skip(place);
  }
  ~Controls() {
    const char* name = std::getenv("IPA_EMULATION_TRACE");
    if (!name) return;
    std::ofstream file(name, std::ios::app);
    for (const std::string& place : executed) file << place << '\n';
  }
};

Controls& controls() {
  static Controls instance;
  return instance;
}

}  // namespace

void set_schedule(std::uint64_t seed) { controls().seed = seed; }
std::uint64_t schedule() { return controls().seed; }

void skip_barrier(std::string_view place) { controls().skip(place); }

std::vector<std::string> executed_barriers() {
  const std::lock_guard lock(controls().mutex);
  return {controls().executed.begin(), controls().executed.end()};
}

bool detail::skips(const Site& site) {
  if (site.line != controls().skipped_line.load(std::memory_order_relaxed)) [[likely]]
    return false;
  const std::string_view path = site.file, tail = controls().skipped_path;
  return path.ends_with(tail) && (path.size() == tail.size() || path[path.size() - tail.size() - 1] == '/');
}

void detail::note_barrier(const Site& site) {
  thread_local std::vector<Site> known;
  if (std::ranges::find(known, site) != known.end()) return;
  known.push_back(site);
  const std::lock_guard lock(controls().mutex);
  controls().executed.insert(to_string(site));
}

}  // namespace ipa::emulation
