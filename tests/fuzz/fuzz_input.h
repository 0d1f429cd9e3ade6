// What the fuzz targets share. A target calls a parser with any bytes: ipa::Error is a right answer, anything else that
// is thrown, a crash, a sanitizer's report, much memory or time is a find.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace fuzz {

// The bytes as a file that lives in memory.
inline std::filesystem::path as_file(const uint8_t* data, size_t size) {
  static const int file = ::memfd_create("fuzz", MFD_CLOEXEC);
  static const std::filesystem::path path = "/proc/self/fd/" + std::to_string(file);
  if (::ftruncate(file, 0) != 0 || ::pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) std::abort();
  return path;
}

// A folder in memory, removed at the end, and a file in it: where a name matters.
inline std::filesystem::path folder(const std::string& name) {
  static std::filesystem::path made;
  std::string path = "/dev/shm/fuzz_" + name + "_XXXXXX";
  if (!::mkdtemp(path.data())) std::abort();
  std::atexit([] { std::filesystem::remove_all(made); });
  return made = path;
}
inline void write(const std::filesystem::path& path, const uint8_t* data, size_t size) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file || std::fwrite(data, 1, size, file) != size || std::fclose(file) != 0) std::abort();
}

// A defect of ours (ErrorKind::internal) is a find, too.
template <class Parse>
void expect_error_at_most(Parse parse) {
  try {
    parse();
  } catch (const ipa::Error& error) {
    if (error.kind() == ipa::ErrorKind::internal) throw;
  }
}

// Must hold whatever the bytes are.
inline void insist(bool condition) {
  if (!condition) std::abort();
}

}  // namespace fuzz
