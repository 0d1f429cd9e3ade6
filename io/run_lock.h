// One process per run folder: an exclusive flock on its file `lock`, which names the holder. The kernel drops it with
// the process.
#pragma once

#include <filesystem>

namespace ipa {

class RunLock {
 public:
  explicit RunLock(const std::filesystem::path& run_folder);  // throws ErrorKind::io, saying who holds it
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int file_;
};

}  // namespace ipa
