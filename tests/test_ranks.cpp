// Ranks as processes on this machine: they meet, sum, and notice when one is wrong, missing, dead, stopped or stuck.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "engine/sockets.h"
#include "tests/support/temporary_folder.h"

using namespace ipa;
using Catch::Contains;

namespace {

std::string read(const std::filesystem::path& p) {
  std::ostringstream text;
  text << std::ifstream(p).rdbuf();
  return text.str();
}

struct Start {
  std::string mode = "sums", fingerprint = "v1";
  int arrival = 20'000, silence = 5'000, stall = 0;
};

// Processes of `rank_process`; those still there are killed at the end.
class Ranks {
 public:
  explicit Ranks(int size)
      : size_(size), port_(port_of(listen_at("127.0.0.1", 0))), pids_(static_cast<std::size_t>(size)) {}
  ~Ranks() {
    for (const pid_t pid : pids_)
      if (pid > 0) ::kill(pid, SIGKILL), ::waitpid(pid, nullptr, 0);
  }

  void start(int rank, const Start& s, int told_size = 0) {
    const std::string out = file(rank, "out"), err = file(rank, "err");
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid) {
      pids_[static_cast<std::size_t>(rank)] = pid;
      return;
    }
    ::dup2(::open(out.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600), 1);
    ::dup2(::open(err.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600), 2);
    auto set = [](const char* name, const std::string& value) { ::setenv(name, value.c_str(), 1); };
    set("RANK", std::to_string(rank));
    set("LOCAL_RANK", std::to_string(rank));
    set("WORLD_SIZE", std::to_string(told_size ? told_size : size_));
    set("MASTER_ADDR", "127.0.0.1");
    set("MASTER_PORT", std::to_string(port_));
    set("OMP_NUM_THREADS", "1");
    ::execl(IPA_RANK_PROCESS, IPA_RANK_PROCESS, s.mode.c_str(), s.fingerprint.c_str(),
            std::to_string(s.arrival).c_str(), std::to_string(s.silence).c_str(), std::to_string(s.stall).c_str(),
            nullptr);
    ::_exit(127);
  }
  void start_all(const Start& s) {
    for (int r = 0; r < size_; ++r) start(r, s);
  }

  void await(const std::string& text) {  // until every rank said it
    for (int r = 0; r < size_; ++r)
      for (int i = 0; output(r).find(text) == std::string::npos; ++i) {
        REQUIRE(i < 3000);
        std::this_thread::sleep_for(Milliseconds(10));
      }
  }
  void kill(int rank, int signal) const { ::kill(pids_[static_cast<std::size_t>(rank)], signal); }

  // The exit code; 128 + the signal; -1 if it still runs after `wait`.
  int exit_code(int rank, Milliseconds wait = Milliseconds(30'000)) {
    pid_t& pid = pids_[static_cast<std::size_t>(rank)];
    const Clock::time_point end = Clock::now() + wait;
    int status = 0;
    while (::waitpid(pid, &status, WNOHANG) == 0) {
      if (Clock::now() > end) return -1;
      std::this_thread::sleep_for(Milliseconds(10));
    }
    pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::string output(int rank) const { return read(file(rank, "out")); }
  std::string errors(int rank) const { return read(file(rank, "err")); }
  int port() const { return port_; }

 private:
  std::string file(int rank, const char* what) const { return folder_ / (std::to_string(rank) + what); }

  TemporaryFolder folder_;
  int size_, port_;
  std::vector<pid_t> pids_;
};

}  // namespace

TEST_CASE("processes sum in the order of the ranks, to the byte", "[ranks]") {
  for (const int size : {1, 2, 4}) {
    Ranks ranks(size);
    ranks.start_all({});
    for (int r = 0; r < size; ++r) {
      const int code = ranks.exit_code(r);
      INFO(ranks.errors(r));
      CHECK(code == 0);
    }
  }
}

TEST_CASE("processes that train together hold the same bytes, which a repeat gives again", "[ranks]") {
  std::string first;
  for (int run = 0; run < 2; ++run) {
    Ranks ranks(2);
    ranks.start_all({.mode = "train"});
    for (int r = 0; r < 2; ++r) REQUIRE(ranks.exit_code(r, Milliseconds(120'000)) == 0);
    CHECK_THAT(ranks.output(0), Contains("state "));
    CHECK(ranks.output(0) == ranks.output(1));
    CHECK((run == 0 || ranks.output(0) == first));
    first = ranks.output(0);
  }
}

TEST_CASE("ranks that do not belong together all say why", "[ranks]") {
  Ranks ranks(3);
  SECTION("another number of ranks") {
    ranks.start(0, {});
    ranks.start(1, {});
    ranks.start(2, {}, 4);
    for (int r = 0; r < 3; ++r) {
      CHECK(ranks.exit_code(r) == 2);
      CHECK_THAT(ranks.errors(r), Contains("rank 2 (") && Contains("was told of 4 ranks, rank 0 of 3"));
    }
  }
  SECTION("other settings") {
    ranks.start(0, {});
    ranks.start(1, {.fingerprint = "v2"});
    CHECK(ranks.exit_code(0) == 2);
    CHECK(ranks.exit_code(1) == 2);
    CHECK_THAT(ranks.errors(0), Contains("rank 1 (") && Contains("v2 and v1"));
    CHECK_THAT(ranks.errors(1), Contains("another program version or other settings"));
  }
}

TEST_CASE("a rank that never comes is named within the time", "[ranks]") {
  Ranks ranks(3);
  const Clock::time_point start = Clock::now();
  SECTION("one of the others") {
    ranks.start(0, {.arrival = 1500});
    ranks.start(2, {.arrival = 1500});
    for (const int r : {0, 2}) {
      CHECK(ranks.exit_code(r) == 5);
      CHECK_THAT(ranks.errors(r),
                 Contains("of 3 ranks these did not come to 127.0.0.1:" + std::to_string(ranks.port()) +
                          " within 1.5 s: 1; see whether all were started"));
    }
  }
  SECTION("rank 0") {
    ranks.start(1, {.arrival = 1000});
    CHECK(ranks.exit_code(1) == 5);
    CHECK_THAT(ranks.errors(1), Contains("rank 1 of 3: rank 0 did not answer within 1 s") &&
                                    Contains("127.0.0.1:" + std::to_string(ranks.port())));
  }
  CHECK(Clock::now() - start < Milliseconds(8000));
}

TEST_CASE("strangers at rank 0's door keep nobody out", "[ranks]") {
  Ranks ranks(2);
  ranks.start(0, {});
  std::vector<Socket> strangers;
  for (int i = 0; i < 100 && strangers.size() < 3; ++i) {
    if (Socket s = connect_once("127.0.0.1", ranks.port(), Milliseconds(100))) strangers.push_back(std::move(s));
    std::this_thread::sleep_for(Milliseconds(20));
  }
  REQUIRE(strangers.size() == 3);
  std::string noise(5000, 'x');
  Move m{strangers[0].fd(), reinterpret_cast<std::byte*>(noise.data()), noise.size(), true};
  transfer({&m, 1}, -1, Milliseconds(1000));
  MessageLink liar(std::move(strangers[1]));
  liar.send(1, Writer().number(1).number(2).number(~std::uint64_t{0}).take());  // a host name of 2^64 bytes
  ranks.start(1, {});
  CHECK(ranks.exit_code(0) == 0);
  CHECK(ranks.exit_code(1) == 0);
}

TEST_CASE("a rank that is lost ends the others with its name", "[ranks]") {
  Ranks ranks(4);
  auto others_end = [&](int lost, const std::string& why, int within) {
    const Clock::time_point start = Clock::now();
    for (int r = 0; r < 4; ++r) {
      if (r == lost) continue;
      const int code = ranks.exit_code(r);
      INFO("rank " << r << ": " << ranks.errors(r));
      CHECK(code == 5);
      CHECK_THAT(ranks.errors(r), Contains("rank " + std::to_string(lost) + " of 4 (") && Contains(why));
    }
    CHECK(Clock::now() - start < Milliseconds(within));
  };
  SECTION("killed") {
    const int lost = GENERATE(0, 1, 3);
    ranks.start_all({.mode = "loop"});
    ranks.await("going");
    ranks.kill(lost, SIGKILL);
    others_end(lost, "was lost: its connection closed", 4000);
  }
  SECTION("stopped, silent") {
    const int lost = GENERATE(0, 2);
    ranks.start_all({.mode = "loop", .silence = 1500});
    ranks.await("going");
    ranks.kill(lost, SIGSTOP);
    others_end(lost, "was lost: nothing was heard of it for 1.5 s", 6000);
  }
  SECTION("alive, but it does not go on") {
    ranks.start_all({.mode = "stands still", .silence = 2000, .stall = 1500});
    ranks.await("going");
    others_end(1, "did not go on for 1.5 s", 6000);
  }
  SECTION("ended by an error of its own") {
    ranks.start_all({.mode = "throws"});
    others_end(1, "stopped with an error of its own", 15'000);
    CHECK(ranks.exit_code(1) == 6);
    CHECK_THAT(ranks.errors(1), Contains("diverged"));
  }
  SECTION("gone home early") {
    ranks.start_all({.mode = "leaves"});
    others_end(1, "", 15'000);
    CHECK(ranks.exit_code(1) == 0);
  }
}
