// A file that appears whole or not at all: written under a temporary name beside its goal, made durable, then renamed.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <string_view>

namespace ipa {

class AtomicFile {
 public:
  // Reserves "<goal>.tmp.<pid>" and removes what a killed process left of the same goal. Of a link, the goal is the
  // file behind it. Without `overwrite` an existing goal is a usage error that names --force; a folder or device is
  // refused.
  AtomicFile(std::filesystem::path goal, bool overwrite);
  ~AtomicFile();  // removes the temporary file unless commit() ran
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // What the constructor refuses, for commands that write only after long work.
  static void check(const std::filesystem::path& goal, bool overwrite);

  const std::filesystem::path& temporary() const { return temporary_; }  // write here, close it, then
  void commit();  // fsync the file, rename it to the goal, fsync the folder; throws ErrorKind::io
  // Of files that belong together: when all are durable. Only a rename that fails can part them.
  static void commit(std::initializer_list<AtomicFile*> files);

  void write(std::string_view bytes);  // all there is, into the temporary file

 private:
  std::filesystem::path goal_, temporary_;
  bool committed_ = false;
};

void write_file(const std::filesystem::path& goal, std::string_view bytes, bool overwrite = true);  // atomically

// Removes what a killed process left: "<anything>.tmp.<pid>" in `folder` where no process <pid> lives.
void sweep_temporaries(const std::filesystem::path& folder);

// Throws ErrorKind::io: "WHAT, PATH: <strerror(errno)>" with a hint for a full disk, missing permission or folder.
[[noreturn]] void fail_errno(std::string_view what, const std::filesystem::path& path);

}  // namespace ipa
