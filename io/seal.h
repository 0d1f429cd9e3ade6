// A seal behind a file's content, one line of text of 64 bytes: "ipaseal1 <length, 16 hex digits> <XXH3-128, 32 hex
// digits>" padded by spaces to a final newline. It finds damage of every kind before a parser meets it.
#pragma once

#include <filesystem>

namespace ipa {

void seal_file(const std::filesystem::path& path);   // appends it; throws ErrorKind::io
void check_seal(const std::filesystem::path& path);  // throws ErrorKind::input where content and seal do not agree
bool has_seal(const std::filesystem::path& path);    // a glance at its end, nothing verified

}  // namespace ipa
