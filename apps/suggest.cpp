#include "apps/suggest.h"

#include <fmt/core.h>

#include <algorithm>

namespace ipa {

int edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the table of distances between prefixes: of a's first i - 2, i - 1 and i letters.
  std::vector<int> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, last);
    std::swap(last, row);
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string suggest(std::string_view word, const std::vector<std::string>& names, std::string_view otherwise) {
  const std::string* nearest = nullptr;
  int least = std::max(2, static_cast<int>(word.size()) / 3) + 1;
  for (const std::string& name : names)
    if (const int distance = edit_distance(word, name); distance < least) {
      least = distance;
      nearest = &name;
    }
  return nearest ? fmt::format("did you mean {}", *nearest) : std::string(otherwise);
}

}  // namespace ipa
