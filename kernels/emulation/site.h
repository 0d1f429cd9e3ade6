// A place in the source. As a default argument, `Site site = {}` is the place of the call.
#pragma once

#include <string>

namespace ipa::emulation {

struct Site {
  constexpr Site(const char* file_of_call = __builtin_FILE(), int line_of_call = __builtin_LINE())
      : file(file_of_call), line(line_of_call) {}

  const char* file;
  int line;

  friend bool operator==(const Site& a, const Site& b) {
    return a.line == b.line && (a.file == b.file || std::string_view(a.file) == b.file);
  }
};

inline std::string to_string(const Site& site) { return std::string(site.file) + ":" + std::to_string(site.line); }

}  // namespace ipa::emulation
