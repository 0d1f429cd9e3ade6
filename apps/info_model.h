// What `ipamedgan info` says of checkpoints, runs and settings.
#pragma once

#include <filesystem>

#include "apps/command_line.h"
#include "apps/settings.h"

namespace ipa {

void show_settings(const Settings& settings, const std::string& origin, bool memory, const Common& common);
void show_checkpoint(const std::filesystem::path& run_or_file, bool memory, const Common& common);

}  // namespace ipa
