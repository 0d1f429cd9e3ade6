#include <fmt/core.h>

#include "apps/command_description.h"

namespace ipa {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

// What `complete` is to offer: switches -x (nothing else), -r (an argument, files too) or -F (files) and the words.
std::string offer(const CompletionValues& values) {
  std::string words;
  switch (values.kind) {
    case CompletionValues::Kind::words:
    case CompletionValues::Kind::settings:
      for (const std::string& word : values.words)
        words += (words.empty() ? "" : " ") + word + (values.kind == CompletionValues::Kind::settings ? "=" : "");
      return "-x -a " + quoted(words);
    case CompletionValues::Kind::folders:
      return "-x -a '(__fish_complete_directories)'";
    case CompletionValues::Kind::files:
      if (values.endings.empty()) return "-r -F";
      for (const std::string& ending : values.endings) words += "(__fish_complete_suffix ." + ending + ")";
      return "-x -k -a " + quoted(words);  // in the order given: those with the ending first
    case CompletionValues::Kind::nothing:
      break;
  }
  return "-x";
}

}  // namespace

std::string fish_completion(const std::vector<CommandDescription>& commands) {
  std::string text =
      "# fish completion of ipamedgan; made by `ipamedgan completion fish`.\n"
      "complete -c ipamedgan -f\n"
      "complete -c ipamedgan -n __fish_use_subcommand -l help -d 'Print help and exit'\n"
      "complete -c ipamedgan -n __fish_use_subcommand -l version -d 'Print the version and exit'\n";
  for (const CommandDescription& c : commands) {
    text += fmt::format("complete -c ipamedgan -n __fish_use_subcommand -a {} -d {}\n", c.name, quoted(c.summary));
    const std::string here = fmt::format("complete -c ipamedgan -n '__fish_seen_subcommand_from {}'", c.name);
    for (const auto* options : {&c.options, &c.common})
      for (const OptionDescription& o : *options) {
        const std::string values = o.flag ? "" : " " + offer(values_of(o));
        if (!o.positional())
          text += fmt::format("{} -l {}{} -d {}\n", here, o.name.substr(2), values, quoted(o.help));
        else if (values_of(o).kind == CompletionValues::Kind::files)
          text += here + " -F\n";
        else
          text += here + values.substr(3) + "\n";  // without -x, which asks for an argument of an option
      }
    text += here + " -l help -d 'Print help and exit'\n";
  }
  return text;
}

}  // namespace ipa
