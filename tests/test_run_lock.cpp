#include "io/run_lock.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "engine/error.h"
#include "tests/support/temporary_folder.h"

TEST_CASE("a locked run folder is refused, naming the holder; the lock goes with its owner", "[io]") {
  TemporaryFolder folder;
  {
    ipa::RunLock lock(folder.path);
    try {
      ipa::RunLock second(folder.path);
      FAIL("locked twice");
    } catch (const ipa::Error& e) {
      CHECK(e.exit_code() == 4);
      CHECK_THAT(e.what(),
                 Catch::Contains("process " + std::to_string(::getpid()) + " on ") && Catch::Contains("/lock;"));
    }
  }
  CHECK_NOTHROW(ipa::RunLock(folder.path));
}

TEST_CASE("a killed process loses its lock", "[io]") {
  TemporaryFolder folder;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const ipa::RunLock lock(folder.path);
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  CHECK_THROWS_WITH(ipa::RunLock(folder.path), Catch::Contains("process " + std::to_string(child) + " on "));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK_NOTHROW(ipa::RunLock(folder.path));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("a missing run folder is an I/O error", "[io]") {
  CHECK_THROWS_WITH(ipa::RunLock("/nowhere/at/all"), Catch::Contains("check the path"));
}
