// A thread that looks after work which cannot be asked whether it still goes well: a collective on a device waits
// forever for a rank that is dead.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace ipa {

class Watchdog {
 public:
  using Milliseconds = std::chrono::milliseconds;

  struct Options {
    Milliseconds period{100};       // between polls
    Milliseconds deadline{60'000};  // from one alive() to the next; 0: none
    Milliseconds grace{10'000};     // from abort to the end of this object; then `last_resort`
    // Ends a process whose training thread does not come back even after the abort. Default: prints the failure and
    // leaves with exit code 5.
    std::function<void(const std::string& failure)> last_resort;
  };

  // `poll` says what went wrong, or nothing; `abort` makes waiting work return, and is called once, when poll reports a
  // failure or the deadline passes. Both run on the watchdog's thread. Only the first failure is kept. `work` names
  // what is watched: "rank 1 of 4 (host)".
  Watchdog(std::string work, std::function<std::string()> poll, std::function<void(const std::string& failure)> abort,
           Options options);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  void alive() noexcept;  // called each step; starts the deadline anew
  void rest() noexcept;   // no deadline until the next alive(): validation, checkpoints

  std::string failure() const;
  void check() const;  // throws the failure, ErrorKind::device; for the training thread, whenever it has waited

 private:
  using Clock = std::chrono::steady_clock;
  void run();
  std::string look();

  const std::string work_;
  const std::function<std::string()> poll_;
  const std::function<void(const std::string&)> abort_;
  const Options options_;
  std::atomic<Clock::rep> last_alive_;  // 0: at rest

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::string failure_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace ipa
