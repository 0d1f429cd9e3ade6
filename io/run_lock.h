// One process per run folder: an exclusive flock on its file `lock`, which names the holder. The kernel drops it with
// the process.
#pragma once

#include <filesystem>

#include "io/descriptor.h"

namespace ipa {

class RunLock {
 public:
  explicit RunLock(const std::filesystem::path& run_folder);          // throws ErrorKind::io, saying who holds it
  static void require_free(const std::filesystem::path& run_folder);  // the same, without taking or writing anything

 private:
  Descriptor file_;
};

}  // namespace ipa
