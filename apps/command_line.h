// The frame of every subcommand: options, help, errors, exit codes. Only command_line.cpp knows the parser's library.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/command_description.h"
#include "engine/device.h"

namespace CLI {
class App;
}  // namespace CLI

namespace ipa {

// What --device asks for.
struct DeviceChoice {
  bool automatic = true;
  Device device;          // that named, else the CPU
  bool numbered = false;  // cuda:N rather than cuda
};

// The options that every command has.
struct Common {
  bool json = false;         // one JSON object on standard output, nothing else there
  bool quiet = false;        // no notes, no progress; warnings and errors stay
  bool force = false;        // overwrite
  std::int64_t threads = 0;  // 0: as many as there are cores
  std::optional<std::uint64_t> seed;
  DeviceChoice device;
};

enum class Need { optional, required };

// One subcommand while it is declared. Values given by the user are stored in the variables handed in, which must
// outlive the command; what is not given stays as it was. `name` is "--long", or "NAME" for a positional argument.
class Command {
 public:
  Command(CLI::App& parser, std::string name) : parser_(&parser) { description_.name = std::move(name); }

  // One sentence for the list of commands, what else its help says, and examples without "ipamedgan ".
  void describe(const std::string& summary, const std::string& details, const std::vector<std::string>& examples);
  void flag(const std::string& name, bool& value, const std::string& help);
  void choice(const std::string& name, std::string& value, const std::vector<std::string>& allowed,
              const std::string& help, Need need = Need::optional);

  // T: std::string, std::filesystem::path, std::int64_t, std::uint64_t, double, an optional of these, or a vector of
  // these for what may be given several times. `kind` names the value in the help ("FILE", "N", ...).
  template <class T>
  void option(const std::string& name, const std::string& kind, T& value, const std::string& help,
              Need need = Need::optional) {
    add(
        name, kind, help, need, [name, &value](const std::string& text) { convert(name, text, value); }, false);
  }
  template <class T>
  void option(const std::string& name, const std::string& kind, std::vector<T>& values, const std::string& help,
              Need need = Need::optional) {
    add(
        name, kind, help, need,
        [name, &values](const std::string& text) { convert(name, text, values.emplace_back()); }, true);
  }

  using Commands = std::vector<CommandDescription>;
  void run(std::function<void(const Common&)> action) {
    run_described([action = std::move(action)](const Common& given, const Commands&) { action(given); });
  }
  void run_described(std::function<void(const Common&, const Commands&)> action) { action_ = std::move(action); }

  Common common;

  CLI::App& parser() const { return *parser_; }
  CommandDescription& description() { return description_; }
  void execute(const Commands& all) const { action_(common, all); }

 private:
  using Store = std::function<void(const std::string&)>;
  void add(const std::string& name, const std::string& kind, const std::string& help, Need need, Store store,
           bool many);
  static void convert(const std::string& name, const std::string& text, std::string& value);
  static void convert(const std::string& name, const std::string& text, std::filesystem::path& value);
  static void convert(const std::string& name, const std::string& text, std::int64_t& value);
  static void convert(const std::string& name, const std::string& text, std::uint64_t& value);
  static void convert(const std::string& name, const std::string& text, double& value);
  template <class T>
  static void convert(const std::string& name, const std::string& text, std::optional<T>& value) {
    convert(name, text, value.emplace());
  }

  CLI::App* parser_;
  CommandDescription description_;
  std::function<void(const Common&, const Commands&)> action_;
};

struct CommandEntry {
  const char* name;
  void (*declare)(Command&);
};

// Parses, runs the command, reports its error: returns the exit code. Never throws.
int run_command_line(int argc, const char* const* argv, const std::vector<CommandEntry>& commands) noexcept;

// `value` as an int where least <= value <= most, else ErrorKind::usage naming the option.
int within(std::string_view option, std::int64_t value, int least, int most);

// auto, cpu, cuda or cuda:N. Throws ErrorKind::usage.
DeviceChoice parse_device(const std::string& text);

// For commands that run a network. Automatic: CUDA where it can be used, else the CPU, and a note says why where this
// program knows CUDA. Throws ErrorKind::device where the device that was named cannot be used. Without a number, CUDA
// means device `index`: one for each of several processes on a host.
Device open_device(const Common& common, int index = 0);

}  // namespace ipa
