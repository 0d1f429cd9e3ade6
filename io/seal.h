// A seal behind a file's content: 8 bytes "ipaseal1", its length (u64), its XXH3-128 (16 bytes, canonical),
// little-endian. It finds damage of every kind before a parser meets it.
#pragma once

#include <filesystem>

namespace ipa {

void seal_file(const std::filesystem::path& path);   // appends it; throws ErrorKind::io
void check_seal(const std::filesystem::path& path);  // throws ErrorKind::input where content and seal do not agree

}  // namespace ipa
