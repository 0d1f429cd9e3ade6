#include "apps/progress.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace ipa {
namespace {

constexpr int bar_columns = 24;
constexpr double redraw_seconds = 0.1;

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string duration(double seconds) {
  const auto s = static_cast<std::int64_t>(std::min(seconds, 3.6e9) + 0.5);
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

std::string bar(std::int64_t done, std::int64_t total) {
  const auto filled = static_cast<size_t>(total > 0 ? done * bar_columns / total : 0);
  std::string text(filled, '=');
  if (filled < bar_columns) text += '>';
  text.resize(bar_columns, ' ');
  return fmt::format("[{}]", text);
}

}  // namespace

ProgressStyle progress_style(std::FILE* out) {
  ProgressStyle style;
  style.terminal = ::isatty(::fileno(out)) && environment("TERM") != "dumb";
  style.colour = style.terminal && environment("NO_COLOR").empty();
  winsize size = {};
  if (style.terminal && ::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) style.columns = size.ws_col;
  return style;
}

std::string progress_text(const ProgressStyle& style, std::string_view what, std::string_view unit, std::int64_t done,
                          std::int64_t total, double rate, std::string_view detail) {
  done = std::clamp<std::int64_t>(done, 0, std::max<std::int64_t>(total, 0));
  std::string text = fmt::format("{} {}/{}", what, done, total);
  if (style.terminal) text += fmt::format(" {}", bar(done, total));
  if (rate > 0 && !unit.empty()) text += fmt::format(" {:.{}f} {}/s", rate, rate < 10 ? 2 : rate < 100 ? 1 : 0, unit);
  if (rate > 0 && done < total)
    text += fmt::format("{} {} left", unit.empty() ? "" : ",", duration(static_cast<double>(total - done) / rate));
  if (!detail.empty()) text += fmt::format("  {}", detail);
  if (style.terminal && text.size() >= static_cast<size_t>(style.columns))
    text.resize(static_cast<size_t>(std::max(style.columns - 1, 1)));
  return text;
}

Progress::Progress(std::string what, std::string unit, std::int64_t total, bool quiet, double line_seconds,
                   std::int64_t done, std::FILE* out)
    : what_(std::move(what)),
      unit_(std::move(unit)),
      first_(done),
      done_(done),
      total_(total),
      quiet_(quiet),
      line_seconds_(line_seconds),
      out_(out),
      style_(progress_style(out)) {}

Progress::~Progress() {
  if (!shown_.empty()) std::fputc('\n', out_);
}

void Progress::update(std::int64_t done, std::string_view detail) {
  if (quiet_ || (done >= total_ && done_ >= total_)) return;  // the last is shown once
  const auto now = Clock::now();
  const auto seconds_since = [&](Clock::time_point t) { return std::chrono::duration<double>(now - t).count(); };
  const double pause = style_.terminal ? redraw_seconds : line_seconds_;
  if (done < total_ && seconds_since(last_) < pause) return;
  last_ = now;
  done_ = done;
  const double elapsed = seconds_since(start_);
  const double rate = elapsed > 0 ? static_cast<double>(done - first_) / elapsed : 0;
  std::string text = progress_text(style_, what_, unit_, done, total_, rate, detail);
  if (style_.terminal) {
    clear();
    fmt::print(out_, "{}", style_.colour ? "\x1b[36m" + text + "\x1b[0m" : text);
    shown_ = std::move(text);
  } else {
    fmt::print(out_, "{}\n", text);
  }
  std::fflush(out_);
}

void Progress::note(std::string_view line) {
  if (quiet_) return;
  clear();
  fmt::print(out_, "{}\n{}", line, shown_);
  std::fflush(out_);
}

// Wipes the bar; works on every terminal, unlike escape sequences.
void Progress::clear() {
  if (!shown_.empty()) fmt::print(out_, "\r{:{}}\r", "", shown_.size());
}

}  // namespace ipa
