// Loaded by LD_PRELOAD, makes the n-th call of one kind fail, on the files below one folder only. Unlike strace it
// needs no ptrace, which containers often forbid, does not count the calls of the loader and of libraries, and costs
// nothing.
//
//   IPA_FAULT_UNDER  the folder; files are meant whose path begins with it
//   IPA_FAULT        "CALL N ACTION": the N-th CALL (from 1) gets ACTION; "N+": this one and every later one
//                    CALL: open read write truncate sync close rename unlink
//                    ACTION: an errno (ENOSPC EIO EINTR EACCES), `short` (half of what was asked for is done), `kill`
//                    (SIGKILL in its place), `torn` (half is done, then SIGKILL), or a signal (SIGTERM SIGINT SIGUSR1)
//                    that the process gets before the call is done as usual
//   IPA_FAULT_LOG    a line "CALL PATH" is added to this file per call, in front of a faulty one "FAULT "
//
// Calls inside of libc (FILE's own writes) are not seen: files are written by HDF5, zlib, libstdc++ and our own code,
// all of which call write or pwrite64.
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr int most_files = 1024;
struct {
  char path[512];
  bool writable;
} files[most_files];  // by descriptor; an empty path: not watched

struct Plan {
  char call[16] = "", action[16] = "";
  long at = 0;
  bool from_there_on = false;
  int log = -1;
  std::string under;

  Plan() {
    if (const char* folder = std::getenv("IPA_FAULT_UNDER")) under = folder;
    if (const char* wanted = std::getenv("IPA_FAULT")) {
      char number[24] = "";
      if (std::sscanf(wanted, "%15s %23s %15s", call, number, action) != 3) std::abort();
      at = std::atol(number);
      from_there_on = std::strchr(number, '+') != nullptr;
    }
    if (const char* path = std::getenv("IPA_FAULT_LOG"))
      log = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  }
  bool watches(const char* path) const {
    return !under.empty() && path && std::strncmp(path, under.c_str(), under.size()) == 0;
  }
};

const Plan& plan() {
  static const Plan made;
  return made;
}

enum class Do { call, half, fail };

// What shall become of this call; sets errno for Do::fail. May not return.
Do decide(const char* call, const char* path) {
  static std::atomic<long> count = 0;
  const Plan& p = plan();
  bool faulty = false;
  if (std::strcmp(call, p.call) == 0) {
    const long n = ++count;
    faulty = n == p.at || (p.from_there_on && n > p.at);
  }
  const std::string line = std::string(faulty ? "FAULT " : "") + call + " " + path + "\n";
  if (p.log >= 0) ::syscall(SYS_write, p.log, line.data(), line.size());
  if (!faulty) return Do::call;
  if (std::strcmp(p.action, "kill") == 0) ::kill(::getpid(), SIGKILL);
  if (std::strcmp(p.action, "short") == 0 || std::strcmp(p.action, "torn") == 0) return Do::half;
  struct Named {
    const char* name;
    int code;
  };
  constexpr Named signals[] = {{"SIGTERM", SIGTERM}, {"SIGINT", SIGINT}, {"SIGUSR1", SIGUSR1}};
  for (const auto& [name, code] : signals)
    if (std::strcmp(p.action, name) == 0) {
      ::kill(::getpid(), code);
      return Do::call;
    }
  constexpr Named errors[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EINTR", EINTR}, {"EACCES", EACCES}};
  for (const auto& [name, code] : errors)
    if (std::strcmp(p.action, name) == 0) {
      errno = code;
      return Do::fail;
    }
  std::abort();
}

long after_half(long result) {
  if (std::strcmp(plan().action, "torn") == 0) ::kill(::getpid(), SIGKILL);
  return result;
}

const char* path_of(int fd) { return fd >= 0 && fd < most_files && files[fd].path[0] ? files[fd].path : nullptr; }

void remember(int fd, const char* path, bool writable) {
  if (fd < 0 || fd >= most_files) return;
  std::snprintf(files[fd].path, sizeof files[fd].path, "%s", path);
  files[fd].writable = writable;
}

int open_at(int folder, const char* path, int flags, mode_t mode) {
  const bool watched = plan().watches(path);
  if (watched && decide("open", path) == Do::fail) return -1;
  const int fd = static_cast<int>(::syscall(SYS_openat, folder, path, flags, mode));
  if (watched) remember(fd, path, (flags & O_ACCMODE) != O_RDONLY);
  return fd;
}

// A transfer of `count` bytes by `call(fd, buffer, count, rest...)`.
template <class Buffer, class... Rest>
ssize_t transfer(const char* name, long call, int fd, Buffer* buffer, size_t count, Rest... rest) {
  const char* path = path_of(fd);
  switch (path ? decide(name, path) : Do::call) {
    case Do::fail:
      return -1;
    case Do::half:
      return after_half(::syscall(call, fd, buffer, count > 1 ? count / 2 : count, rest...));
    case Do::call:
      break;
  }
  return ::syscall(call, fd, buffer, count, rest...);
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

FILE* open_stream(const char* name, const char* path, const char* mode) {
  const bool watched = plan().watches(path);
  if (watched && decide("open", path) == Do::fail) return nullptr;
  FILE* file = next<FILE*(const char*, const char*)>(name)(path, mode);
  if (watched && file) remember(::fileno(file), path, std::strpbrk(mode, "wa+") != nullptr);
  return file;
}

int on_path(const char* call, const char* path, const auto& real) {
  return plan().watches(path) && decide(call, path) == Do::fail ? -1 : real();
}

int on_descriptor(const char* call, int fd, const auto& real) {
  const char* path = path_of(fd);
  return path && decide(call, path) == Do::fail ? -1 : real();
}

mode_t mode_of(int flags, va_list arguments) { return flags & O_CREAT ? va_arg(arguments, mode_t) : 0; }

}  // namespace

#define IPA_WITH_MODE(call)                      \
  va_list arguments;                             \
  va_start(arguments, flags);                    \
  const mode_t mode = mode_of(flags, arguments); \
  va_end(arguments);                             \
  return call

extern "C" {

int open(const char* path, int flags, ...) { IPA_WITH_MODE(open_at(AT_FDCWD, path, flags, mode)); }
int open64(const char* path, int flags, ...) { IPA_WITH_MODE(open_at(AT_FDCWD, path, flags, mode)); }
int openat(int folder, const char* path, int flags, ...) { IPA_WITH_MODE(open_at(folder, path, flags, mode)); }
int openat64(int folder, const char* path, int flags, ...) { IPA_WITH_MODE(open_at(folder, path, flags, mode)); }
FILE* fopen(const char* path, const char* mode) { return open_stream("fopen", path, mode); }
FILE* fopen64(const char* path, const char* mode) { return open_stream("fopen64", path, mode); }

ssize_t read(int fd, void* to, size_t count) { return transfer("read", SYS_read, fd, to, count); }
ssize_t pread(int fd, void* to, size_t count, off_t at) { return transfer("read", SYS_pread64, fd, to, count, at); }
ssize_t pread64(int fd, void* to, size_t count, off_t at) { return transfer("read", SYS_pread64, fd, to, count, at); }
ssize_t write(int fd, const void* from, size_t count) { return transfer("write", SYS_write, fd, from, count); }
ssize_t pwrite(int fd, const void* from, size_t count, off_t at) {
  return transfer("write", SYS_pwrite64, fd, from, count, at);
}
ssize_t pwrite64(int fd, const void* from, size_t count, off_t at) {
  return transfer("write", SYS_pwrite64, fd, from, count, at);
}

int ftruncate(int fd, off_t size) {
  return on_descriptor("truncate", fd, [&] { return static_cast<int>(::syscall(SYS_ftruncate, fd, size)); });
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }
int fsync(int fd) {
  return on_descriptor("sync", fd, [&] { return static_cast<int>(::syscall(SYS_fsync, fd)); });
}
int close(int fd) {                                        // closed all the same, as Linux does
  const bool written = path_of(fd) && files[fd].writable;  // of the others none fails
  const int faulty = written ? on_descriptor("close", fd, [] { return 0; }) : 0, code = errno;
  if (fd >= 0 && fd < most_files) files[fd].path[0] = '\0';
  const int closed = static_cast<int>(::syscall(SYS_close, fd));
  if (faulty == 0) return closed;
  errno = code;
  return -1;
}
int rename(const char* from, const char* to) {
  return on_path("rename", to, [&] { return static_cast<int>(::syscall(SYS_rename, from, to)); });
}
int unlink(const char* path) {
  return on_path("unlink", path, [&] { return static_cast<int>(::syscall(SYS_unlink, path)); });
}
int remove(const char* path) {
  return on_path("unlink", path, [&] { return next<int(const char*)>("remove")(path); });
}

}  // extern "C"
