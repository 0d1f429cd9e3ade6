// What commands say: results on standard output, notes and warnings on standard error.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "apps/command_line.h"

namespace ipa {

std::string json_text(const nlohmann::ordered_json& object);  // indented; NaN and infinity become null
void print_json(const nlohmann::ordered_json& object);
void print_line(std::string_view text);

void note(const Common& common, std::string_view text);  // "ipamedgan: TEXT", not with --quiet
void warn(std::string_view text);                        // "ipamedgan: warning: TEXT"

// Throws ErrorKind::io where something printed has not arrived (a full disk).
void check_standard_output();

}  // namespace ipa
