// ipamedgan man: the manual page, made of what the command line is made of.
#include <fmt/core.h>

#include "apps/commands.h"
#include "apps/output.h"
#include "apps/settings_keys.h"
#include "engine/error.h"

namespace ipa {
namespace {

// Text of any kind as roff: hyphens that can be copied, nothing taken for a request or an escape.
std::string roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool first = out.empty() || out.back() == '\n';
    if (first && (c == '.' || c == '\'')) out += "\\&";
    switch (c) {
      case '\\':
        out += "\\e";
        break;
      case '-':
        out += "\\-";
        break;
      case '`':
        out += "\\(ga";
        break;
      case '\'':
        out += "\\(aq";
        break;
      case '~':
        out += "\\(ti";
        break;
      case '^':
        out += "\\(ha";
        break;
      case '"':
        out += "\\(dq";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string item(const std::string& head, const std::string& text) { return ".TP\n" + head + "\n" + text + "\n"; }

std::string option(const OptionDescription& o) {
  std::string head = o.positional() ? "\\fI" + roff(o.name) + "\\fR" : "\\fB" + roff(o.name) + "\\fR";
  if (!o.positional() && !o.kind.empty()) head += " \\fI" + roff(o.kind) + "\\fR";
  if (o.many) head += " ...";
  return item(head, roff(o.help) + (o.required ? " (required)" : ""));
}

std::string paragraphs(const std::string& text) { return text.empty() ? "" : ".PP\n" + roff(text) + "\n"; }

std::string command(const CommandDescription& c) {
  std::string text = fmt::format(".SS \"ipamedgan {}\"\n{}\n", c.name, roff(c.summary)) + paragraphs(c.details);
  for (const OptionDescription& o : c.options) text += option(o);
  text += ".PP\nExamples:\n.RS\n.nf\n";
  for (const std::string& example : c.examples) text += roff("ipamedgan " + example) + "\n";
  return text + ".fi\n.RE\n";
}

std::string settings() {
  std::string text = roff(
      "Keys of --set and of the tables of --config, with their values in the preset paper. `ipamedgan info --preset "
      "NAME` "
      "prints them all; the user guide says what each means.\n");
  Settings defaults = load_settings("paper", {}, {});
  for (const Key& key : settings_keys(defaults)) {
    const bool number = std::holds_alternative<std::int64_t*>(key.value) || std::holds_alternative<double*>(key.value);
    const std::string value = std::visit([](const auto* v) { return fmt::format("{}", *v); }, key.value);
    text += item(
        fmt::format("\\fB{}\\fR = {}", roff(key.name), roff(value)),
        roff(number                                     ? describe(key.range)
             : std::holds_alternative<bool*>(key.value) ? "true or false"
                                                        : "square, arbitrary, or a file that `ipamedgan masks` wrote"));
  }
  return text;
}

struct Entry {
  const char *name, *text;
};

constexpr Entry exit_codes[] = {
    {"0", "ok"},
    {"1", "a defect of ours; please report it"},
    {"2", "command line or settings"},
    {"3", "content of an input file"},
    {"4", "I/O: missing file, permission, disk full, folder in use"},
    {"5", "device: not there, or out of memory; a process of several was lost"},
    {"6", "numerical: training diverged, output not finite"},
    {"75", "stopped by a signal, state saved"},
};

constexpr Entry environment[] = {
    {"IPAMEDGAN_VGG", "VGG-19 weights, where --vgg is not given"},
    {"IPAMEDGAN_CACHE", "folder of the plans chosen for a GPU; else ipamedgan in XDG_CACHE_HOME, else in ~/.cache"},
    {"IPAMEDGAN_STALL_SECONDS", "after how long, at least, a process of several that does not go on is lost (600)"},
    {"RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT",
     "which of several processes this is, and where they meet; mpirun and srun set their own"},
    {"NO_COLOR, TERM", "how progress is shown"},
};

}  // namespace

std::string man_page(const std::vector<CommandDescription>& commands) {
  std::string text = ".\\\" Made by `ipamedgan man`.\n.TH IPAMEDGAN 1 \"\" \"ipamedgan " IPA_VERSION
                     "\" \"User Commands\"\n.SH NAME\nipamedgan \\- blind inpainting of brain\\-MR slices\n"
                     ".SH SYNOPSIS\n\\fBipamedgan\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n.br\n"
                     "\\fBipamedgan\\fR \\fICOMMAND\\fR \\fB\\-\\-help\\fR\n.SH DESCRIPTION\n";
  text += roff(
      "A slice with a damaged region goes in, the complete slice comes out; nobody has to say where the damage is. "
      "Results go to standard output, notes, warnings and progress to standard error. The last line of a failure is "
      "`ipamedgan: error: WHAT, WHERE; HINT`.\n");
  text += ".PP\n" + roff("Research use only: what fills a hole is synthesised; not for diagnostic use.\n");
  text += ".SH COMMANDS\n";
  for (const CommandDescription& c : commands) text += command(c);
  text += ".SH OPTIONS OF EVERY COMMAND\n";
  for (const OptionDescription& o : commands.front().common) text += option(o);
  text += option({.name = "--help", .help = "Print help and exit; `ipamedgan --version` tells the version"});
  text += ".SH SETTINGS\n" + settings() + ".SH EXIT STATUS\n";
  for (const Entry& e : exit_codes) text += item(std::string("\\fB") + e.name + "\\fR", roff(e.text));
  text += ".SH ENVIRONMENT\n";
  for (const Entry& e : environment) text += item("\\fB" + roff(e.name) + "\\fR", roff(e.text));
  text += ".SH SEE ALSO\n" +
          roff("docs/user_guide.md, which lies in share/doc/ipamedgan where the program is installed.\n");
  return text;
}

void declare_man(Command& command) {
  command.describe("Prints the manual page.",
                   "`cmake --install` puts it where `man ipamedgan` finds it; without it: ipamedgan man | man -l -",
                   {"man > ipamedgan.1"});
  command.run_described([](const Common& common, const std::vector<CommandDescription>& commands) {
    if (common.json) fail(ErrorKind::usage, "a manual page is no JSON", "man --json", "leave out --json");
    fmt::print("{}", man_page(commands));
  });
}

}  // namespace ipa
