#include "apps/settings_json.h"

#include <nlohmann/json.hpp>

#include "apps/settings_keys.h"

namespace ipa {

nlohmann::ordered_json settings_json(const Settings& settings) {
  Settings copy = settings;
  nlohmann::ordered_json result = nlohmann::ordered_json::object();
  for (const Key& key : settings_keys(copy))
    std::visit([&](const auto* value) { result[key.name] = *value; }, key.value);
  return result;
}

}  // namespace ipa
