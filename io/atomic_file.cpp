#include "io/atomic_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "engine/error.h"

namespace fs = std::filesystem;

namespace ipa {
namespace {

// Retries what a signal interrupted.
template <class Call>
auto retry(Call call) {
  decltype(call()) result;
  do result = call();
  while (result < 0 && errno == EINTR);
  return result;
}

void sync(const fs::path& path, int flags) {
  const int fd = retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC); });
  if (fd < 0) fail_errno("cannot open", path);
  const int failed = retry([&] { return ::fsync(fd); });
  const int saved = errno;
  ::close(fd);
  if (failed) {
    errno = saved;
    fail_errno("cannot make durable", path);
  }
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

// Where a link leads, there or not yet: the file behind it is replaced, not the link.
fs::path followed(fs::path path) {
  constexpr int most_links = 40;  // as the kernel's
  std::error_code ignored;
  for (int links = 0; fs::is_symlink(path, ignored) && links < most_links; ++links)
    path = path.parent_path() / fs::read_symlink(path, ignored);
  return path;
}

void sweep(const fs::path& folder, std::string_view start) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    const size_t at = name.rfind(".tmp.");
    if (at == std::string::npos || !name.starts_with(start)) continue;
    pid_t pid = 0;
    const char* end = name.data() + name.size();
    if (auto [rest, error] = std::from_chars(name.data() + at + 5, end, pid); error != std::errc() || rest != end)
      continue;
    if (pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH) fs::remove(entry.path(), ignored);
  }
}

}  // namespace

void fail_errno(std::string_view what, const fs::path& path) {
  const int code = errno;
  std::string_view hint;
  switch (code) {
    case ENOSPC:
    case EDQUOT:
      hint = "free some space, nothing already written was lost";
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      hint = "choose a place you may write to";
      break;
    case ENOENT:
    case ENOTDIR:
      hint = "check the path";
      break;
    default:
      break;
  }
  fail(ErrorKind::io, fmt::format("{}: {}", what, std::strerror(code)), path.string(), hint);
}

AtomicFile::AtomicFile(fs::path goal, bool overwrite)
    : goal_(followed(std::move(goal))), temporary_(goal_.string() + ".tmp." + std::to_string(::getpid())) {
  check(goal_, overwrite);
  sweep(folder_of(goal_), goal_.filename().string() + ".tmp.");
}

void AtomicFile::check(const fs::path& goal, bool overwrite) {
  std::error_code ignored;
  const fs::file_status found = fs::status(goal, ignored);
  if (fs::is_directory(found))
    fail(ErrorKind::io, "cannot write a file: a folder has this name", goal.string(), "choose another name");
  if (fs::exists(found) && !fs::is_regular_file(found))  // which a rename would replace, /dev/null for instance
    fail(ErrorKind::io, "cannot write a file: a device or pipe has this name", goal.string(), "choose another name");
  if (!overwrite && fs::exists(found))
    fail(ErrorKind::usage, "the output exists", goal.string(), "choose another name or add --force");
  if (!fs::is_directory(folder_of(goal), ignored))
    fail(ErrorKind::io, "no such folder", folder_of(goal).string(), "create it first");
}

AtomicFile::~AtomicFile() {
  if (!committed_) ::unlink(temporary_.c_str());
}

void AtomicFile::commit() { commit({this}); }

void AtomicFile::commit(std::initializer_list<AtomicFile*> files) {
  for (const AtomicFile* file : files) sync(file->temporary_, O_RDONLY);
  for (AtomicFile* file : files) {
    if (::rename(file->temporary_.c_str(), file->goal_.c_str()) != 0)
      fail_errno("cannot put the output in place", file->goal_);
    file->committed_ = true;
  }
  for (const AtomicFile* file : files) sync(folder_of(file->goal_), O_RDONLY | O_DIRECTORY);
}

void AtomicFile::write(std::string_view bytes) {
  const int fd = retry([&] { return ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666); });
  if (fd < 0) fail_errno("cannot create", goal_);
  while (!bytes.empty()) {
    const ssize_t written = retry([&] { return ::write(fd, bytes.data(), bytes.size()); });
    if (written < 0) {
      const int saved = errno;
      ::close(fd);
      errno = saved;
      fail_errno("cannot write", goal_);
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  if (::close(fd) != 0) fail_errno("cannot write", goal_);
}

void write_file(const fs::path& goal, std::string_view bytes, bool overwrite) {
  AtomicFile file(goal, overwrite);
  file.write(bytes);
  file.commit();
}

void sweep_temporaries(const fs::path& folder) { sweep(folder, ""); }

}  // namespace ipa
