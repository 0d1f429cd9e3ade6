// The watchdog on a pretended communicator.
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "engine/watchdog.h"
#include "tests/support/error_kind.h"

using namespace ipa;
using Milliseconds = std::chrono::milliseconds;

namespace {

// A collective that waits until its communicator is aborted, as one on a device does.
struct FakeComm {
  std::mutex mutex;
  std::condition_variable changed;
  std::string error;
  int aborts = 0;

  std::string poll() {
    std::lock_guard lock(mutex);
    return error;
  }
  void break_down(const std::string& text) {
    std::lock_guard lock(mutex);
    error = text;
  }
  void abort() {
    std::lock_guard lock(mutex);
    ++aborts;
    changed.notify_all();
  }
  bool wait(Milliseconds most) {  // true: aborted
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, most, [&] { return aborts > 0; });
  }
};

Watchdog::Options quick(Milliseconds deadline) {
  return {.period = Milliseconds(5), .deadline = deadline, .grace = Milliseconds(60'000), .last_resort = {}};
}

struct Watched {
  FakeComm comm;
  Watchdog dog;
  explicit Watched(Watchdog::Options o)
      : dog(
            "rank 1 of 4", [this] { return comm.poll(); }, [this](const std::string&) { comm.abort(); }, o) {}
};

}  // namespace

TEST_CASE("an error ends what waits, once, and the first error stays") {
  Watched w(quick(Milliseconds(0)));
  w.dog.check();
  CHECK_FALSE(w.comm.wait(Milliseconds(50)));
  w.comm.break_down("rank 2 of 4 was lost");
  REQUIRE(w.comm.wait(Milliseconds(5000)));
  w.comm.break_down("a consequence of it");
  std::this_thread::sleep_for(Milliseconds(50));
  CHECK(w.comm.aborts == 1);
  CHECK(error_kind([&] { w.dog.check(); }, "rank 2 of 4 was lost") == 5);
}

TEST_CASE("a step that does not end is ended, rest and signs of life are heeded") {
  Watched w(quick(Milliseconds(300)));
  CHECK_FALSE(w.comm.wait(Milliseconds(500)));  // the first step has not begun
  for (int i = 0; i < 10; ++i) {
    w.dog.alive();
    std::this_thread::sleep_for(Milliseconds(60));
  }
  CHECK(w.dog.failure().empty());
  w.dog.rest();
  CHECK_FALSE(w.comm.wait(Milliseconds(500)));
  w.dog.alive();
  const auto start = std::chrono::steady_clock::now();
  REQUIRE(w.comm.wait(Milliseconds(5000)));
  CHECK(std::chrono::steady_clock::now() - start > Milliseconds(250));
  CHECK(error_kind([&] { w.dog.check(); }, "rank 1 of 4 did not finish a step within 0.3 s") == 5);
}

TEST_CASE("a process that an abort does not wake leaves with exit code 5") {
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    Watchdog::Options o = quick(Milliseconds(0));
    o.grace = Milliseconds(100);
    ::close(2);
    const Watchdog dog(
        "rank 0 of 2", [] { return std::string("lost"); }, [](const std::string&) {}, o);
    std::this_thread::sleep_for(std::chrono::seconds(20));
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 5));
}

TEST_CASE("it ends at once, and has nothing to say, where all went well") {
  const auto start = std::chrono::steady_clock::now();
  { Watched w({}); }
  CHECK(std::chrono::steady_clock::now() - start < Milliseconds(1000));
}
