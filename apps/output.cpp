#include "apps/output.h"

#include <fmt/core.h>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "engine/error.h"

namespace ipa {

std::string json_text(const nlohmann::ordered_json& object) {
  // Names of files and subjects need not be UTF-8.
  return object.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void print_json(const nlohmann::ordered_json& object) { print_line(json_text(object)); }

void print_line(std::string_view text) { fmt::print("{}\n", text); }

void note(const Common& common, std::string_view text) {
  if (!common.quiet) fmt::print(stderr, "ipamedgan: {}\n", text);
}

void warn(std::string_view text) { fmt::print(stderr, "ipamedgan: warning: {}\n", text); }

void check_standard_output() {
  std::cout.flush();
  if (std::fflush(stdout) != 0 || std::ferror(stdout) || !std::cout)
    fail(ErrorKind::io, "cannot write the result", "standard output", "free some space, or send it elsewhere");
}

}  // namespace ipa
