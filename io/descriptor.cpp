#include "io/descriptor.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "io/atomic_file.h"

namespace ipa {

Descriptor::Descriptor(std::filesystem::path path, int flags) : path_(std::move(path)) {
  do fd_ = ::open(path_.c_str(), flags | O_CLOEXEC, 0666);
  while (fd_ < 0 && errno == EINTR);
  if (fd_ < 0) fail_errno(flags & O_CREAT ? "cannot create" : "cannot open", path_);
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

void Descriptor::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_errno("cannot write", path_);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void Descriptor::sync() {
  int failed;
  do failed = ::fsync(fd_);
  while (failed != 0 && errno == EINTR);
  if (failed) fail_errno("cannot make durable", path_);
}

}  // namespace ipa
