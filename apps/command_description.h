// What the command line consists of, in words: help that is not --help (man page, shell completions) is made of it.
#pragma once

#include <string>
#include <vector>

namespace ipa {

struct OptionDescription {
  std::string name, kind, help;      // "--long", or "NAME" of a positional argument; `kind` names its value
  std::vector<std::string> choices;  // empty: not a choice
  bool required = false, many = false, flag = false;
  bool positional() const { return !name.starts_with('-'); }
};

struct CommandDescription {
  std::string name, summary, details;
  std::vector<std::string> examples;       // without "ipamedgan "
  std::vector<OptionDescription> options;  // its own
  std::vector<OptionDescription> common;   // those that every command has
};

// What may stand in the place of an option's value.
struct CompletionValues {
  enum class Kind { nothing, words, settings, files, folders };
  Kind kind = Kind::nothing;
  std::vector<std::string> words;    // of words and settings ("net.width")
  std::vector<std::string> endings;  // of files, without the dot; empty: any file
};
CompletionValues values_of(const OptionDescription& option);

inline constexpr const char* shells[] = {"bash", "zsh", "fish"};
std::string bash_completion(const std::vector<CommandDescription>& commands);
std::string zsh_completion(const std::vector<CommandDescription>& commands);
std::string fish_completion(const std::vector<CommandDescription>& commands);

std::string man_page(const std::vector<CommandDescription>& commands);  // man(7), section 1

}  // namespace ipa
