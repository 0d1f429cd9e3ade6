// The child process that reads a foreign file: how it is started, bounded, talked to and seen to die.
#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <new>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "engine/error.h"
#include "io/foreign_reader.h"

namespace ipa {
namespace {

constexpr const char* kServe = "--serve-foreign-file";       // [1] of a child's arguments; [2] is its memory in bytes
constexpr int kSocket = 3;                                   // the child's end
constexpr uint64_t most_answer_bytes = uint64_t{256} << 20;  // rows apart
constexpr uint64_t bytes_per_second = uint64_t{16} << 20;    // that decompression manages at the very least

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)  // GCC's; children are not fuzzed with clang's
constexpr bool sanitized = true;  // needs terabytes of addresses, pipes, and to tell what it found
#else
constexpr bool sanitized = false;
#endif

struct RequestHead {
  uint64_t bytes, row_bytes, seconds;
};

enum Status : uint64_t { fine = 0, no_memory = 100 };  // else an ErrorKind

struct AnswerHead {
  uint64_t status, bytes;
};

bool children_wanted = false;

// ---- The child ----

bool receive(void* data, size_t count) {
  for (auto* at = static_cast<char*>(data); count > 0;) {
    const ssize_t got = ::recv(kSocket, at, count, MSG_WAITALL);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got, count -= static_cast<size_t>(got);
  }
  return true;
}

bool send(const void* data, size_t count) {
  for (const auto* at = static_cast<const char*>(data); count > 0;) {
    const ssize_t sent = ::send(kSocket, at, count, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    at += sent, count -= static_cast<size_t>(sent);
  }
  return true;
}

void limit(__rlimit_resource what, rlim_t most) {
  const rlimit both{most, most};
  ::setrlimit(what, &both);
}

uint64_t own_addresses() {
  uint64_t pages = uint64_t{1} << 18;  // where /proc does not tell: 1 GiB
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

// Only from now on, and only the soft limit, so that the next question gets its own.
void allow_processor(uint64_t seconds) {
  rusage used{};
  rlimit allowed{};
  ::getrusage(RUSAGE_SELF, &used);
  ::getrlimit(RLIMIT_CPU, &allowed);
  allowed.rlim_cur = static_cast<rlim_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 1 + seconds;
  ::setrlimit(RLIMIT_CPU, &allowed);
}

int serve(uint64_t memory) {
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, 0);
  if (!sanitized) limit(RLIMIT_AS, own_addresses() + memory);
  const auto reader = foreign_reader_here({.memory = memory});
  std::vector<char> rows;
  bool opened = false;
  for (RequestHead head{}; receive(&head, sizeof head);) {
    AnswerHead answer_head{};
    std::string answer;
    try {
      std::string request(head.bytes, '\0');
      if (!receive(request.data(), request.size())) break;
      allow_processor(head.seconds);
      if (rows.size() < head.row_bytes) rows.resize(head.row_bytes);
      answer = reader->ask(request, std::span(rows).first(head.row_bytes));
    } catch (const Error& error) {
      answer_head.status = static_cast<uint64_t>(error.kind());
      answer = error.what();
    } catch (const std::bad_alloc&) {
      answer_head.status = no_memory;
    } catch (const std::length_error&) {
      answer_head.status = no_memory;
    } catch (const std::exception& error) {
      answer_head.status = static_cast<uint64_t>(ErrorKind::internal);
      answer = error.what();
    }
    const bool of_rows = answer_head.status == fine && head.row_bytes > 0;
    const std::string_view bytes = of_rows ? std::string_view(rows.data(), head.row_bytes) : answer;
    answer_head.bytes = bytes.size();
    if (!send(&answer_head, sizeof answer_head) || !send(bytes.data(), bytes.size())) break;
    if (!std::exchange(opened, true) && !sanitized) limit(RLIMIT_NOFILE, 0);  // the one file is open
    allow_processor(head.seconds);
    reader->read_ahead();
  }
  return 0;
}

// ---- The parent ----

// HDF5 heeds many variables (plugins, drivers, locks); a child gets only what starting it may need.
std::vector<char*> environment_of_child() {
  std::vector<char*> kept;
  for (char** variable = environ; variable && *variable; ++variable)
    for (const std::string_view name : {"LD_LIBRARY_PATH=", "ASAN_OPTIONS=", "LSAN_OPTIONS=", "UBSAN_OPTIONS="})
      if (std::string_view(*variable).starts_with(name)) kept.push_back(*variable);
  kept.push_back(nullptr);
  return kept;
}

class ReaderInChild : public ForeignReader {
 public:
  ReaderInChild(std::filesystem::path path, const ForeignLimits& limits) : path_(std::move(path)), limits_(limits) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) cannot_start(errno);
    socket_ = ends[0];
    const timeval second{.tv_sec = 1, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
    const int error = start(ends[1]);
    ::close(ends[1]);
    if (error != 0) {
      ::close(socket_);
      cannot_start(error);
    }
  }
  ~ReaderInChild() override { end(); }
  ReaderInChild(const ReaderInChild&) = delete;
  ReaderInChild& operator=(const ReaderInChild&) = delete;

  int process() const override { return process_; }

  std::string ask(const std::string& request, std::span<char> rows) override {
    if (process_ == 0) give_up("its reader has ended");
    const auto seconds = static_cast<uint64_t>(limits_.processor.count()) + rows.size() / bytes_per_second;
    const RequestHead head{request.size(), rows.size(), seconds};
    send(&head, sizeof head, seconds);
    send(request.data(), request.size(), seconds);
    AnswerHead answer{};
    receive(&answer, sizeof answer, seconds);
    if (answer.bytes > std::max<uint64_t>(most_answer_bytes, rows.size())) nonsense();
    if (answer.status == fine && !rows.empty()) {
      if (answer.bytes != rows.size()) nonsense();
      receive(rows.data(), rows.size(), seconds);
      return {};
    }
    std::string text;
    while (text.size() < answer.bytes) {  // memory for what is there, not for what is promised
      const size_t have = text.size(), more = std::min<uint64_t>(answer.bytes - have, 1 << 20);
      text.resize(have + more);
      receive(text.data() + have, more, seconds);
    }
    if (answer.status == fine) return text;
    if (answer.status == no_memory)
      fail(ErrorKind::input, fmt::format("reading it takes more than {} MiB of memory", limits_.memory >> 20),
           path_.string(), "store it in smaller chunks, e.g. with h5repack");
    for (const ErrorKind kind : {ErrorKind::internal, ErrorKind::input, ErrorKind::io})
      if (answer.status == static_cast<uint64_t>(kind)) throw Error(kind, text.substr(0, 16384));
    nonsense();
  }

 private:
  [[noreturn]] void cannot_start(int error) const {
    fail(ErrorKind::io, fmt::format("cannot start the process that reads foreign files ({})", std::strerror(error)),
         path_.string(), "there may be too many processes or open files");
  }

  int start(int socket) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_adddup2(&files, socket, kSocket);
    for (const int standard : {0, 1, 2})
      if (standard != 2 || !sanitized) ::posix_spawn_file_actions_addopen(&files, standard, "/dev/null", O_RDWR, 0);
    ::posix_spawn_file_actions_addclosefrom_np(&files, kSocket + 1);
    sigset_t blocked;  // whatever ends or stops a run is the parent's business: when it goes, the child follows
    ::sigemptyset(&blocked);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2}) ::sigaddset(&blocked, signal);
    sigset_t normal;
    ::sigfillset(&normal);
    ::posix_spawnattr_setsigmask(&attributes, &blocked);
    ::posix_spawnattr_setsigdefault(&attributes, &normal);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    std::string name = "ipamedgan", serve = kServe, memory = std::to_string(limits_.memory);
    std::array<char*, 4> arguments = {name.data(), serve.data(), memory.data(), nullptr};
    const int error = ::posix_spawn(&process_, "/proc/self/exe", &files, &attributes, arguments.data(),
                                    environment_of_child().data());
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
    return error;
  }

  void send(const void* data, size_t count, uint64_t seconds) {
    const auto* at = static_cast<const char*>(data);
    transfer(count, seconds, [&](size_t left) {
      const ssize_t sent = ::send(socket_, at, left, MSG_NOSIGNAL);
      if (sent > 0) at += sent;
      return sent;
    });
  }
  void receive(void* data, size_t count, uint64_t seconds) {
    auto* at = static_cast<char*>(data);
    transfer(count, seconds, [&](size_t left) {
      const ssize_t got = ::recv(socket_, at, left, MSG_WAITALL);
      if (got > 0) at += got;
      return got;
    });
  }

  // Seconds without a byte are counted one by one: time during which this process was stopped does not count.
  template <class Step>
  void transfer(size_t left, uint64_t seconds, Step step) {
    for (auto silent = std::chrono::seconds::zero(); left > 0;) {
      const ssize_t done = step(left);
      if (done > 0) {
        left -= static_cast<size_t>(done);
        silent = {};
      } else if (done == 0 || errno == EPIPE || errno == ECONNRESET) {
        died(seconds);
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        if (++silent >= limits_.silence) give_up(fmt::format("reading it took more than {} s", silent.count()));
      } else if (errno != EINTR) {
        give_up(fmt::format("its reader cannot be reached ({})", std::strerror(errno)));
      }
    }
  }

  [[noreturn]] void died(uint64_t seconds) {
    int status = 0;
    pid_t reaped = 0;
    for (int i = 0; i < 2000 && reaped == 0; ++i) {  // its socket is closed a moment before it is a zombie
      reaped = ::waitpid(process_, &status, WNOHANG);
      if (reaped == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (reaped != 0) process_ = 0;
    if (reaped > 0 && WIFSIGNALED(status)) {
      const int signal = WTERMSIG(status);
      if (signal == SIGXCPU) give_up(fmt::format("reading it took more than {} s of processor time", seconds));
      if (signal == SIGKILL) give_up("the process that read it was killed, perhaps for lack of memory");
      give_up(fmt::format("it crashes the HDF5 library ({})", ::strsignal(signal)));
    }
    give_up("the process that read it ended early");
  }

  [[noreturn]] void nonsense() { give_up("reading it gave nonsense"); }

  [[noreturn]] void give_up(const std::string& what) {
    end();
    fail(ErrorKind::input, what, path_.string(),
         "the file is damaged or hostile: copy it again, or try h5repack on it");
  }

  void end() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);  // there is nothing that it could lose
    while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
    }
    process_ = 0;
  }

  std::filesystem::path path_;
  ForeignLimits limits_;
  int socket_ = -1;
  pid_t process_ = 0;
};

}  // namespace

std::unique_ptr<ForeignReader> start_foreign_reader(const std::filesystem::path& path, const ForeignLimits& limits) {
  if (!children_wanted) return foreign_reader_here(limits);
  return std::make_unique<ReaderInChild>(path, limits);
}

std::optional<int> serve_foreign_files(int argc, char** argv) {
  if (argc != 3 || std::strcmp(argv[1], kServe) != 0) {
    children_wanted = true;
    return {};
  }
  uint64_t memory = 0;
  const char* end = argv[2] + std::strlen(argv[2]);
  if (std::from_chars(argv[2], end, memory).ptr != end) return static_cast<int>(ErrorKind::usage);
  return serve(memory);
}

}  // namespace ipa
