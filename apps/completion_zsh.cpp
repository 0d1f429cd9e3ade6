#include <fmt/core.h>

#include "apps/command_description.h"

namespace ipa {
namespace {

// In single quotes; `special` are the characters that _arguments or _describe would take for their own.
std::string quoted(const std::string& text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (special.find(c) != special.npos) out += '\\';
    if (c == '\'')
      out += "'\\''";
    else
      out += c;
  }
  return out;
}

std::string action(const CompletionValues& values) {
  std::string words;
  switch (values.kind) {
    case CompletionValues::Kind::words:
      for (const std::string& word : values.words) words += (words.empty() ? "" : " ") + word;
      return "(" + words + ")";
    case CompletionValues::Kind::settings:
      return "_ipamedgan_settings";
    case CompletionValues::Kind::folders:
      return "_files -/";
    case CompletionValues::Kind::files:
      for (const std::string& ending : values.endings) words += (words.empty() ? "" : "|") + ending;
      return words.empty() ? "_files" : fmt::format("_files -g \"*.({})\"", words);
    case CompletionValues::Kind::nothing:
      break;
  }
  return " ";
}

std::string argument(const OptionDescription& o) {
  const std::string help = quoted(o.help, "[]\\");
  if (o.positional()) return fmt::format("'{}:{}:{}'", o.many ? "*" : "1", o.name, action(values_of(o)));
  if (o.flag) return fmt::format("'{}[{}]'", o.name, help);
  return fmt::format("'{}{}=[{}]:{}:{}'", o.many ? "*" : "", o.name, help, quoted(o.kind, ":\\"), action(values_of(o)));
}

}  // namespace

std::string zsh_completion(const std::vector<CommandDescription>& commands) {
  std::string list, cases, settings;
  for (const CommandDescription& c : commands) {
    list += fmt::format("    '{}:{}'\n", c.name, quoted(c.summary, ":\\"));
    cases += fmt::format("    {})\n      _arguments -S \\\n", c.name);
    for (const auto* options : {&c.options, &c.common})
      for (const OptionDescription& o : *options) {
        cases += fmt::format("        {} \\\n", argument(o));
        if (const CompletionValues v = values_of(o); v.kind == CompletionValues::Kind::settings && settings.empty())
          for (const std::string& key : v.words) settings += " " + key + "=";
      }
    cases += "        '--help[Print help and exit]' ;;\n";
  }
  return fmt::format(R"(#compdef ipamedgan
# zsh completion of ipamedgan; made by `ipamedgan completion zsh`.
_ipamedgan_settings() {{
  compadd -S '' --{}
}}
_ipamedgan() {{
  local -a commands
  commands=(
{}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    _arguments '--help[Print help and exit]' '--version[Print the version and exit]'
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
{}  esac
}}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _ipamedgan "$@"
else
  compdef _ipamedgan ipamedgan
fi
)",
                     settings, list, cases);
}

}  // namespace ipa
