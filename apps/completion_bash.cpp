#include <fmt/core.h>

#include "apps/command_description.h"

namespace ipa {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// The call that offers an option's values; every word here is of letters, digits and .:_-
std::string offer(const CompletionValues& values) {
  switch (values.kind) {
    case CompletionValues::Kind::words:
      return "_ipamedgan_words " + joined(values.words);
    case CompletionValues::Kind::settings:
      return "_ipamedgan_settings " + joined(values.words);
    case CompletionValues::Kind::folders:
      return "_ipamedgan_files /";
    case CompletionValues::Kind::files:
      return "_ipamedgan_files " + joined(values.endings);
    case CompletionValues::Kind::nothing:
      break;
  }
  return ":";
}

constexpr const char* helpers = R"(# bash completion of ipamedgan; made by `ipamedgan completion bash`.
_ipamedgan_words() {
  mapfile -t COMPREPLY < <(compgen -W "$*" -- "$cur")
}
_ipamedgan_settings() {
  mapfile -t COMPREPLY < <(compgen -S = -W "$*" -- "$cur")
  compopt -o nospace 2>/dev/null
}
# Files with one of the endings, and folders; without an ending all files, of / folders alone.
_ipamedgan_files() {
  local ending
  compopt -o filenames 2>/dev/null
  if [[ $# -eq 0 ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    return
  fi
  mapfile -t COMPREPLY < <({
    compgen -d -- "$cur"
    for ending; do [[ $ending == / ]] || compgen -f -X "!*.$ending" -- "$cur"; done
  } | sort -u)
}
)";

// Readline takes KEY=VALUE apart.
constexpr const char* begin = R"(_ipamedgan() {
  local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} key=''
  COMPREPLY=()
  if [[ $cur == = ]]; then
    cur='' key=$before
  elif [[ $before == = ]]; then
    key=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case $key in
    '') ;;
    --*) before=$key ;;
    net.residual | data.flip) _ipamedgan_words true false; return ;;
    data.masks) _ipamedgan_files h5; return ;;
    *) return ;;
  esac
)";

}  // namespace

std::string bash_completion(const std::vector<CommandDescription>& commands) {
  std::string names, text = std::string(helpers) + begin, by_command;
  for (const CommandDescription& c : commands) {
    names += c.name + " ";
    std::string options = "--help", rest = ":";
    by_command += fmt::format("    {})\n      case $before in\n", c.name);
    for (const auto* list : {&c.options, &c.common})
      for (const OptionDescription& o : *list) {
        if (o.positional()) {
          rest = offer(values_of(o));
        } else {
          options += " " + o.name;
          if (!o.flag) by_command += fmt::format("        {}) {} ;;\n", o.name, offer(values_of(o)));
        }
      }
    by_command +=
        fmt::format("        *) if [[ $cur == -* ]]; then _ipamedgan_words {}; else {}; fi ;;\n", options, rest);
    by_command += "      esac ;;\n";
  }
  text += fmt::format("  if [[ $COMP_CWORD -eq 1 ]]; then\n    _ipamedgan_words {}--help --version\n    return\n  fi\n",
                      names);
  text += "  case ${COMP_WORDS[1]} in\n" + by_command + "  esac\n}\ncomplete -F _ipamedgan ipamedgan\n";
  return text;
}

}  // namespace ipa
