// ipamedgan completion: completes commands, options, settings, presets and files in a shell.
#include <fmt/core.h>

#include <algorithm>
#include <memory>

#include "apps/commands.h"
#include "apps/output.h"
#include "apps/settings_keys.h"
#include "engine/error.h"

namespace ipa {
namespace {

// "S.h5|V.nii.gz" is h5, nii.gz; "S.h5[,...]" is h5.
std::vector<std::string> endings_in(const std::string& kind) {
  std::vector<std::string> endings;
  for (std::size_t at = kind.find('.'); at != kind.npos; at = kind.find('.', at)) {
    const std::size_t end = std::min(kind.find_first_of("|[", at), kind.size());
    endings.push_back(kind.substr(at + 1, end - at - 1));
    at = std::min(kind.find('|', end), kind.size());
  }
  return endings;
}

void run(const std::string& shell, const Common& common, const std::vector<CommandDescription>& commands) {
  if (common.json) fail(ErrorKind::usage, "a script is no JSON", "completion --json", "leave out --json");
  const std::string script = shell == "bash"  ? bash_completion(commands)
                             : shell == "zsh" ? zsh_completion(commands)
                                              : fish_completion(commands);
  fmt::print("{}", script);
}

}  // namespace

CompletionValues values_of(const OptionDescription& option) {
  using Kind = CompletionValues::Kind;
  if (option.flag) return {};
  if (!option.choices.empty()) return {Kind::words, option.choices, {}};
  if (option.name == "--device") return {Kind::words, {"auto", "cpu", "cuda"}, {}};
  CompletionValues values;
  if (option.name == "--preset") {
    values.kind = Kind::words;
    for (const Preset& preset : presets()) values.words.emplace_back(preset.name);
  } else if (option.name == "--set") {
    values.kind = Kind::settings;
    Settings settings;
    for (const Key& key : settings_keys(settings)) values.words.push_back(key.name);
  } else if (option.kind == "DIR") {
    values.kind = Kind::folders;
  } else if (values.endings = endings_in(option.kind); !values.endings.empty()) {
    values.kind = Kind::files;
  } else if (option.kind == "RUN_OR_FILE") {
    values = {Kind::files, {}, {"h5"}};
  } else if (option.positional() || option.kind == "FILE" || option.kind == "M") {
    values.kind = Kind::files;
  }
  return values;
}

void declare_completion(Command& command) {
  auto shell = std::make_shared<std::string>();
  command.describe("Prints a script that completes commands, options, settings and files in a shell.",
                   "`cmake --install` puts the scripts where the shells look for them; without it, load one by hand:\n"
                   "in ~/.bashrc `source <(ipamedgan completion bash)`, in ~/.zshrc, behind compinit,\n"
                   "`source <(ipamedgan completion zsh)`, in fish `ipamedgan completion fish | source`.",
                   {"completion bash", "completion fish"});
  command.choice("SHELL", *shell, {std::begin(shells), std::end(shells)}, "Whose script", Need::required);
  command.run_described([shell](const Common& common, const std::vector<CommandDescription>& commands) {
    run(*shell, common, commands);
  });
}

}  // namespace ipa
