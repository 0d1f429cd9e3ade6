// "did you mean ...": the nearest of the names that exist.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ipa {

// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
int edit_distance(std::string_view a, std::string_view b);

// "did you mean NAME" for the nearest name where it is near enough to be meant, else `otherwise`.
std::string suggest(std::string_view word, const std::vector<std::string>& names, std::string_view otherwise = {});

}  // namespace ipa
