#include "apps/settings.h"

#include <fmt/core.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>

#include "apps/settings_keys.h"
#include "apps/suggest.h"
#include "engine/error.h"

namespace fs = std::filesystem;

namespace ipa {
namespace {

constexpr std::uintmax_t most_file_bytes = 1 << 20;

std::string_view type_name(const std::int64_t*) { return "an integer"; }
std::string_view type_name(const double*) { return "a number"; }
std::string_view type_name(const bool*) { return "true or false"; }
std::string_view type_name(const std::string*) { return "a string"; }

[[noreturn]] void refuse_type(const Key& key, std::string_view where) {
  const auto wanted = std::visit([](const auto* value) { return type_name(value); }, key.value);
  fail(ErrorKind::usage, fmt::format("{} has the wrong type", key.name), where, fmt::format("it takes {}", wanted));
}

void assign(const Key& key, const toml::node& node, std::string_view where) {
  const bool right_type = std::visit(
      [&](auto* field) {
        using T = std::remove_pointer_t<decltype(field)>;
        const auto value = node.value_exact<T>();
        if (value) *field = *value;
        if constexpr (std::is_same_v<T, double>)
          if (const auto integer = node.value_exact<std::int64_t>()) {
            *field = static_cast<double>(*integer);
            return true;
          }
        return value.has_value();
      },
      key.value);
  if (!right_type) refuse_type(key, where);
  check_range(key, where);
}

std::string place(std::string_view where, const toml::source_region& source) {
  return source.begin ? fmt::format("{} line {}", where, source.begin.line) : std::string(where);
}

const Key* find(const std::vector<Key>& keys, std::string_view name) {
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const Key& key) { return key.name == name; });
  return found == keys.end() ? nullptr : &*found;
}

[[noreturn]] void refuse_unknown(const std::vector<Key>& keys, std::string_view name, std::string_view where) {
  std::vector<std::string> names;
  for (const Key& key : keys) names.push_back(key.name);
  const std::string_view known = "`ipamedgan info --preset paper` lists all settings";
  fail(ErrorKind::usage, fmt::format("unknown setting {}", name), where, suggest(name, names, known));
}

void assign_all(const std::vector<Key>& keys, const toml::table& table, const std::string& prefix,
                std::string_view where) {
  for (const auto& [short_name, node] : table) {
    const std::string name = prefix + std::string(short_name.str());
    const std::string here = place(where, short_name.source());
    if (const Key* key = find(keys, name)) {
      assign(*key, node, here);
    } else if (const bool is_table =
                   std::any_of(keys.begin(), keys.end(), [&](const Key& k) { return k.name.starts_with(name + "."); });
               is_table && node.is_table()) {
      assign_all(keys, *node.as_table(), name + ".", where);
    } else if (const auto* inner = node.as_table(); inner && !inner->empty() && prefix.empty()) {
      refuse_unknown(keys, name + "." + std::string(inner->begin()->first.str()),
                     place(where, inner->begin()->first.source()));
    } else {
      refuse_unknown(keys, name, here);
    }
  }
}

toml::table parse_document(std::string_view text, std::string_view where) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    fail(ErrorKind::usage, fmt::format("not TOML: {}", error.description()), place(where, error.source()),
         "write a table like [train] and lines like batch = 4");
  }
}

std::string trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  return first == text.npos ? "" : std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

std::string toml_of(const std::string& value) {  // a basic string
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\')
      text.append({'\\', c});
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      text += fmt::format("\\u{:04X}", static_cast<int>(c));
    else
      text += c;
  }
  return text + '"';
}

void assign_text(const std::vector<Key>& keys, const std::string& assignment) {
  const std::string where = "--set " + assignment;
  const auto equals = assignment.find('=');
  if (equals == assignment.npos) fail(ErrorKind::usage, "no = in a setting", where, "write --set table.key=value");
  const std::string name = trim(assignment.substr(0, equals)), text = trim(assignment.substr(equals + 1));
  const Key* key = find(keys, name);
  if (!key) refuse_unknown(keys, name, where);
  toml::table table;
  try {
    table = toml::parse("value = " + text);
  } catch (const toml::parse_error&) {
    // Not TOML: a string without quotes, or wrong.
  }
  if (table.size() != 1) table.clear();  // a line break made it several
  if (std::holds_alternative<std::string*>(key->value) && !table["value"].is_string())
    table = parse_document("value = " + toml_of(text), where);
  if (table.empty()) refuse_type(*key, where);
  assign(*key, *table.get("value"), where);
}

std::string read_text(const fs::path& path) {
  std::error_code error;
  const auto bytes = fs::file_size(path, error);  // fails for folders, too
  std::ifstream in(path, std::ios::binary);
  if (error || !in) fail(ErrorKind::io, "cannot read the settings", path.string(), "check the path and permissions");
  if (bytes > most_file_bytes)
    fail(ErrorKind::usage, "too large for a settings file", path.string(), "name a TOML file");
  return {std::istreambuf_iterator<char>(in), {}};
}

const Preset& find_preset(std::string_view name) {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) {
    if (preset.name == name) return preset;
    names.emplace_back(preset.name);
  }
  std::string all;
  for (const std::string& one : names) all += (all.empty() ? "" : ", ") + one;
  fail(ErrorKind::usage, fmt::format("no preset is called {}", name), "--preset",
       suggest(name, names, "there are " + all));
}

std::string toml_of(std::int64_t value) { return fmt::format("{}", value); }
std::string toml_of(bool value) { return value ? "true" : "false"; }
std::string toml_of(double value) {  // shortest form that reads back as the same bits; "1.0", "1e-05", "0.01"
  const std::string text = fmt::format("{}", value);
  return text.find_first_of(".e") == text.npos ? text + ".0" : text;
}

std::string value_text(const Key& key) {
  return std::visit([](const auto* value) { return toml_of(*value); }, key.value);
}

}  // namespace

Settings parse_settings(std::string_view toml, std::string_view where, const Settings& base) {
  Settings settings = base;
  assign_all(settings_keys(settings), parse_document(toml, where), "", where);
  return settings;
}

Settings load_settings(std::string_view preset, const std::optional<fs::path>& file,
                       const std::vector<std::string>& assignments) {
  const Preset& chosen = find_preset(preset.empty() ? "paper" : preset);
  Settings settings = parse_settings(chosen.toml, fmt::format("preset {}", chosen.name));
  if (file) settings = parse_settings(read_text(*file), file->string(), settings);
  const std::vector<Key> keys = settings_keys(settings);
  for (const std::string& assignment : assignments) assign_text(keys, assignment);
  return settings;
}

std::string to_toml(const Settings& settings) {
  Settings copy = settings;
  std::string text, table;
  for (const Key& key : settings_keys(copy)) {
    const auto dot = key.name.find('.');
    if (key.name.substr(0, dot) != table) {
      if (!table.empty()) text += '\n';
      table = key.name.substr(0, dot);
      text += fmt::format("[{}]\n", table);
    }
    text += fmt::format("{} = {}\n", key.name.substr(dot + 1), value_text(key));
  }
  return text;
}

std::vector<std::string> differing_keys(const Settings& a, const Settings& b) {
  Settings left = a, right = b;
  const std::vector<Key> of_left = settings_keys(left), of_right = settings_keys(right);
  std::vector<std::string> names;
  for (size_t i = 0; i < of_left.size(); ++i)
    if (value_text(of_left[i]) != value_text(of_right[i])) names.push_back(of_left[i].name);
  return names;
}

}  // namespace ipa
