#include "io/run_lock.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "engine/error.h"
#include "io/atomic_file.h"

namespace ipa {

namespace {

void lock(const Descriptor& file, int how) {
  if (::flock(file.fd(), how | LOCK_NB) == 0) return;
  if (errno != EWOULDBLOCK) fail_errno("cannot lock", file.path());
  char text[300];
  const ssize_t count = ::read(file.fd(), text, sizeof text);
  std::string holder(text, static_cast<size_t>(std::max<ssize_t>(count, 0)));
  holder.resize(std::min(holder.find('\n'), holder.size()));
  if (holder.empty()) holder = "another process";  // which has not written its name yet
  fail(ErrorKind::io, "the run folder is in use by " + holder, file.path().string(),
       "wait for it, stop it, or choose another --run folder");
}

}  // namespace

void RunLock::require_free(const std::filesystem::path& run_folder) {
  if (std::filesystem::exists(run_folder / "lock")) lock(Descriptor(run_folder / "lock", O_RDONLY), LOCK_SH);
}

// The file stays when the lock goes: removing it would race with the next holder.
RunLock::RunLock(const std::filesystem::path& run_folder) : file_(run_folder / "lock", O_RDWR | O_CREAT) {
  lock(file_, LOCK_EX);
  char host[256] = "unknown";
  ::gethostname(host, sizeof host - 1);
  if (::ftruncate(file_.fd(), 0) != 0) fail_errno("cannot write", file_.path());
  file_.write(fmt::format("process {} on {}\n", ::getpid(), host));
}

}  // namespace ipa
