// How far a command is, on standard error: a bar on a terminal, else a line now and then.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace ipa {

// How progress is shown. TERM=dumb is no terminal; NO_COLOR leaves out colour.
struct ProgressStyle {
  bool terminal = false;
  bool colour = false;
  int columns = 80;
};
ProgressStyle progress_style(std::FILE* out);  // of this process's environment

// "train  12/400 [===>      ]   3.1 step/s, 2:05 left  DETAIL", cut to the columns; without bar where there is no
// terminal. `rate` in units a second, 0: unknown; an empty unit leaves
// the rate out, but not the time left.
std::string progress_text(const ProgressStyle& style, std::string_view what, std::string_view unit, std::int64_t done,
                          std::int64_t total, double rate, std::string_view detail);

class Progress {
 public:
  using Clock = std::chrono::steady_clock;

  // Counts from `done` to `total`. Where there is no terminal, lines are at least `line_seconds` apart (0: one per
  // update); the last update is always shown.
  Progress(std::string what, std::string unit, std::int64_t total, bool quiet, double line_seconds = 10,
           std::int64_t done = 0, std::FILE* out = stderr);
  ~Progress();  // leaves the bar's last state standing
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(std::int64_t done, std::string_view detail = {});
  void note(std::string_view line);  // a line of its own, above the bar

 private:
  void clear();

  std::string what_, unit_, shown_;
  std::int64_t first_, done_, total_;  // done_: as last shown
  bool quiet_;
  double line_seconds_;
  std::FILE* out_;
  ProgressStyle style_;
  Clock::time_point start_ = Clock::now(), last_ = start_;
};

}  // namespace ipa
