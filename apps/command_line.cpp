#include "apps/command_line.h"

#include <fmt/core.h>
#include <omp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <memory>
#include <new>
#include <system_error>

#include "apps/output.h"
#include "apps/suggest.h"
#include "engine/error.h"

namespace ipa {
namespace {

constexpr const char* notice =
    "Research use only: what fills a hole is synthesised; not for diagnostic use.\n"
    "Exit codes: 0 ok, 2 usage or settings, 3 input, 4 I/O, 5 device, 6 numerical,\n"
    "75 stopped by a signal with the state saved, 1 a defect of ours.";

template <class Number>
void convert_number(const std::string& name, const std::string& text, Number& value, std::string_view kind,
                    std::string_view example) {
  const char* end = text.data() + text.size();
  Number parsed{};
  const auto [rest, error] = std::from_chars(text.data(), end, parsed);
  if (error != std::errc() || rest != end)
    fail(ErrorKind::usage, fmt::format("{} takes {}, not \"{}\"", name, kind, text), {},
         fmt::format("write e.g. {} {}", name, example));
  value = parsed;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::vector<std::string> option_names(const CLI::App& parser) {
  std::vector<std::string> names;
  for (const CLI::Option* option : parser.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

// What the parser did not understand, in our words.
[[noreturn]] void fail_parse(const CLI::App& app, const CLI::ParseError& error) {
  const auto parsed = app.get_subcommands();
  const CLI::App& parser = parsed.empty() ? app : *parsed.front();
  const std::string where = parsed.empty() ? "ipamedgan" : "ipamedgan " + parser.get_name();
  const std::string help = fmt::format("see {} --help", where);
  const auto head = [](const std::vector<std::string>& words) { return words[0].substr(0, words[0].find('=')); };
  if (const auto unknown = app.remaining(); !unknown.empty()) {
    const std::string word = head(unknown);
    if (word.starts_with('-'))
      fail(ErrorKind::usage, "unknown option " + word, "ipamedgan", "options stand behind the command");
    std::vector<std::string> names;
    for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
    fail(ErrorKind::usage, "unknown command " + word, "ipamedgan", suggest(word, names, "there are " + join(names)));
  }
  if (const auto unknown = parser.remaining(); !unknown.empty()) {
    const std::string word = head(unknown);
    if (word.starts_with('-'))
      fail(ErrorKind::usage, "unknown option " + word, where, suggest(word, option_names(parser), help));
    fail(ErrorKind::usage, fmt::format("nothing takes the argument \"{}\"", unknown[0]), where, help);
  }
  if (parsed.empty()) fail(ErrorKind::usage, "no command given", where, help);
  const std::string text = error.what();
  if (const auto at = text.find(": 1 required "); at != text.npos)  // "--run: 1 required DIR missing"
    fail(ErrorKind::usage, text.substr(0, at) + " needs a value", where, help);
  fail(ErrorKind::usage, text, where, help);
}

void add_common_options(Command& command, std::string& device) {
  Common& common = command.common;
  CommandDescription& description = command.description();
  const auto own = static_cast<std::ptrdiff_t>(description.options.size());
  command.flag("--json", common.json, "Print one JSON object on standard output, nothing else there");
  command.flag("--quiet", common.quiet, "No notes and no progress on standard error");
  command.flag("--force", common.force, "Overwrite what exists");
  command.option("--threads", "N", common.threads, "CPU threads (default: 0, all cores)");
  command.option("--device", "NAME", device, "auto, cpu, cuda or cuda:N (default: auto)");
  command.option("--seed", "S", common.seed, "Seed of everything random (default: 0)");
  description.common.assign(description.options.begin() + own, description.options.end());
  description.options.erase(description.options.begin() + own, description.options.end());
}

void apply_common_options(Common& common, const std::string& device) {
  if (const int threads = within("--threads", common.threads, 0, 4096); threads > 0) omp_set_num_threads(threads);
  common.device = parse_device(device);
}

void parse_and_run(int argc, const char* const* argv, const std::vector<CommandEntry>& entries) {
  CLI::App app("Blind inpainting of brain-MR slices: no mask needed.", "ipamedgan");
  app.set_version_flag("--version", "ipamedgan " IPA_VERSION);
  app.require_subcommand(1);
  app.allow_extras();  // so that remaining() tells an unknown command from a missing one
  app.footer(std::string("`ipamedgan COMMAND --help` shows a command's options and examples.\n") + notice);
  std::vector<std::unique_ptr<Command>> commands;
  std::string device = "auto";
  for (const CommandEntry& entry : entries) {
    CLI::App* parser = app.add_subcommand(entry.name);
    parser->allow_extras(false);
    commands.push_back(std::make_unique<Command>(*parser, entry.name));
    entry.declare(*commands.back());
    add_common_options(*commands.back(), device);
  }
  try {
    app.parse(argc, argv);
    if (app.remaining_size() > 0) throw CLI::ExtrasError(app.remaining());
  } catch (const CLI::Success& success) {  // --help, --version
    app.exit(success);
    check_standard_output();
    return;
  } catch (const CLI::ParseError& error) {
    fail_parse(app, error);
  }
  Command::Commands descriptions;
  for (const auto& command : commands) descriptions.push_back(command->description());
  for (const auto& command : commands)
    if (command->parser().parsed()) {
      apply_common_options(command->common, device);
      command->execute(descriptions);
    }
  check_standard_output();
}

int report(ErrorKind kind, std::string_view message) {
  std::string line = fmt::format("ipamedgan: error: {}", message);
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  std::fprintf(stderr, "%s\n", line.c_str());
  return static_cast<int>(kind);
}

}  // namespace

void Command::describe(const std::string& summary, const std::string& details,
                       const std::vector<std::string>& examples) {
  parser_->description(summary);
  description_.summary = summary;
  description_.details = details;
  description_.examples = examples;
  std::string text = details + (details.empty() ? "" : "\n\n") + "Examples:\n";
  for (const std::string& example : examples) text += "  ipamedgan " + example + "\n";
  parser_->footer(text + "\n" + notice);
}

void Command::flag(const std::string& name, bool& value, const std::string& help) {
  parser_->add_flag_callback(
      name, [&value] { value = true; }, help);
  description_.options.push_back({.name = name, .help = help, .flag = true});
}

void Command::choice(const std::string& name, std::string& value, const std::vector<std::string>& allowed,
                     const std::string& help, Need need) {
  const auto store = [name, &value, allowed](const std::string& text) {
    if (std::find(allowed.begin(), allowed.end(), text) == allowed.end())
      fail(ErrorKind::usage, fmt::format("{} has no choice \"{}\"", name, text), {},
           suggest(text, allowed, "choose from " + join(allowed)));
    value = text;
  };
  std::string kinds;
  for (const std::string& word : allowed) kinds += (kinds.empty() ? "" : "|") + word;
  add(name, kinds, help, need, store, false);
  description_.options.back().choices = allowed;
}

void Command::add(const std::string& name, const std::string& kind, const std::string& help, Need need, Store store,
                  bool many) {
  const auto store_all = [store](const CLI::results_t& texts) {
    for (const std::string& text : texts) store(text);
    return true;
  };
  CLI::Option* option = parser_->add_option(name, store_all, help);
  option->type_name(kind)->required(need == Need::required);
  description_.options.push_back(
      {.name = name, .kind = kind, .help = help, .required = need == Need::required, .many = many});
  if (!many) return;
  if (option->get_positional())
    option->expected(1, -1)->allow_extra_args();
  else
    option->allow_extra_args(false)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void Command::convert(const std::string&, const std::string& text, std::string& value) { value = text; }

void Command::convert(const std::string& name, const std::string& text, std::filesystem::path& value) {
  if (text.empty()) fail(ErrorKind::usage, name + " is an empty path", {}, "name a file or folder");
  value = text;
}

void Command::convert(const std::string& name, const std::string& text, std::int64_t& value) {
  convert_number(name, text, value, "an integer", "4");
}

void Command::convert(const std::string& name, const std::string& text, std::uint64_t& value) {
  convert_number(name, text, value, "an integer from 0", "4");
}

void Command::convert(const std::string& name, const std::string& text, double& value) {
  convert_number(name, text, value, "a number", "0.5");
}

int within(std::string_view option, std::int64_t value, int least, int most) {
  if (value < least || value > most)
    fail(ErrorKind::usage, fmt::format("{} {} is out of range", option, value), {},
         fmt::format("it takes {} to {}", least, most));
  return static_cast<int>(value);
}

DeviceChoice parse_device(const std::string& text) {
  if (text == "auto") return {};
  if (text == "cpu") return {false, {}};
  if (text == "cuda" || text.starts_with("cuda:")) {
    std::uint16_t index = 0;
    if (text.size() > 4) convert_number("--device", text.substr(5), index, "cuda:N with an integer N", "cuda:0");
    return {false, {Device::Kind::cuda, index}, text.size() > 4};
  }
  fail(ErrorKind::usage, fmt::format("--device has no choice \"{}\"", text), {},
       suggest(text, {"auto", "cpu", "cuda"}, "choose from auto, cpu, cuda, cuda:N"));
}

Device open_device(const Common& common, int index) {
  const DeviceChoice& choice = common.device;
  Device device = choice.automatic ? best_device() : choice.device;
  if (choice.automatic && device.is_cpu() && built_with_cuda())
    note(common, "computes on the CPU: " + device_problem({Device::Kind::cuda, 0}));
  if (!device.is_cpu() && !choice.numbered) device.index = index;
  if (const std::string why = device_problem(device); !why.empty())
    fail(ErrorKind::device, why, fmt::format("--device cuda:{}", device.index),
         index > 0 && !choice.numbered ? "start fewer processes on a host, or name each one's with --device cuda:N"
                                       : "use --device cpu");
  return device;
}

int run_command_line(int argc, const char* const* argv, const std::vector<CommandEntry>& commands) noexcept {
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond the limit of the shell is an error like a full disk
  try {
    parse_and_run(argc, argv, commands);
    return 0;
  } catch (const Error& error) {
    return report(error.kind(), error.what());
  } catch (const std::bad_alloc&) {
    return report(ErrorKind::device, "out of memory; use fewer or smaller slices at a time, or a machine with more");
  } catch (const std::system_error& error) {  // std::filesystem, standard output
    return report(ErrorKind::io, fmt::format("{}; check the path, permissions and free space", error.what()));
  } catch (const std::exception& error) {
    return report(ErrorKind::internal, fmt::format("{}; please report this defect", error.what()));
  }
}

}  // namespace ipa
