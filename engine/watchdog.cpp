#include "engine/watchdog.h"

#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>

#include "engine/error.h"

namespace ipa {
namespace {

void leave(const std::string& failure) {
  std::fprintf(stderr, "ipamedgan: %s\n", failure.c_str());
  std::fflush(stderr);
  std::_Exit(static_cast<int>(ErrorKind::device));
}

}  // namespace

Watchdog::Watchdog(std::string work, std::function<std::string()> poll, std::function<void(const std::string&)> abort,
                   Options options)
    : work_(std::move(work)),
      poll_(std::move(poll)),
      abort_(std::move(abort)),
      options_(std::move(options)),
      last_alive_(0),
      thread_([this] { run(); }) {}

Watchdog::~Watchdog() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Watchdog::alive() noexcept { last_alive_ = Clock::now().time_since_epoch().count(); }
void Watchdog::rest() noexcept { last_alive_ = 0; }

std::string Watchdog::failure() const {
  std::lock_guard lock(mutex_);
  return failure_;
}

void Watchdog::check() const {
  if (const std::string text = failure(); !text.empty())
    fail(ErrorKind::device, text, {}, "start all processes again; training goes on from the last checkpoint");
}

std::string Watchdog::look() {
  if (std::string text = poll_(); !text.empty()) return text;
  const Clock::rep last = last_alive_;
  if (!last || options_.deadline.count() == 0) return {};
  if (Clock::now() - Clock::time_point(Clock::duration(last)) <= options_.deadline) return {};
  return fmt::format("{} did not finish a step within {:g} s", work_,
                     static_cast<double>(options_.deadline.count()) / 1000);
}

void Watchdog::run() {
  std::unique_lock lock(mutex_);
  const auto ended = [&] { return ending_; };
  while (true) {
    lock.unlock();
    const std::string found = look();
    lock.lock();
    if (ending_) return;
    if (!found.empty()) {
      failure_ = found;
      break;
    }
    if (changed_.wait_for(lock, options_.period, ended)) return;
  }
  const std::string failure = failure_;
  lock.unlock();
  abort_(failure);
  lock.lock();
  if (changed_.wait_for(lock, options_.grace, ended)) return;
  lock.unlock();
  options_.last_resort ? options_.last_resort(failure) : leave(failure);
}

}  // namespace ipa
