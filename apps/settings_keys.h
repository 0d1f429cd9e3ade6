// The table of all settings: name, place in Settings, allowed values. Everything that reads or writes them walks it.
#pragma once

#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "apps/settings.h"

namespace ipa {

// Allowed values of a number; integers may be bound to multiples.
struct Limits {
  double least = -std::numeric_limits<double>::infinity(), most = std::numeric_limits<double>::infinity();
  bool open_below = false, open_above = false;  // the limit itself is not allowed
  std::int64_t multiple_of = 1;
};

struct Key {
  std::string name;  // "table.key"
  std::variant<std::int64_t*, double*, bool*, std::string*> value;
  Limits range = {};
};

std::vector<Key> settings_keys(Settings& settings);  // pointers into `settings`, in to_toml's order

std::string describe(const Limits& range);  // "at least 96 and at most 4096, a multiple of 16"

// Throws ErrorKind::usage where the key's present value is out of range.
void check_range(const Key& key, std::string_view where);

}  // namespace ipa
