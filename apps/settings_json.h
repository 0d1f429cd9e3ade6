// Settings as JSON, for results that say how they came about.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "apps/settings.h"

namespace ipa {

// {"net.width": 32, ...}: every key, in to_toml's order.
nlohmann::ordered_json settings_json(const Settings& settings);

}  // namespace ipa
