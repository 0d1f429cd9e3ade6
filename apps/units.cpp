#include "apps/units.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace ipa {

std::string grouped(std::int64_t number) {
  std::string text = fmt::format("{}", number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string readable_bytes(std::size_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  constexpr const char* units[] = {"KiB", "MiB", "GiB", "TiB"};
  for (size /= 1024; size >= 1023.95 && unit < 3; size /= 1024) ++unit;
  return fmt::format("{:.1f} {}", size, units[unit]);
}

std::string readable_duration(double seconds) {
  if (seconds < 9.95) return fmt::format("{:.{}f} s", seconds, seconds < 0.0995 ? 3 : seconds < 0.995 ? 2 : 1);
  if (seconds < 119.5) return fmt::format("{:.0f} s", seconds);
  const auto minutes = static_cast<std::int64_t>(std::min(seconds, 3e11) / 60 + 0.5);
  if (minutes < 60) return fmt::format("{} min", minutes);
  if (minutes < 48 * 60) return fmt::format("{} h {} min", minutes / 60, minutes % 60);
  const std::int64_t hours = (minutes + 30) / 60;
  return fmt::format("{} d {} h", hours / 24, hours % 24);
}

}  // namespace ipa
