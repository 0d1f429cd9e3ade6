// XXH3-128 over a sequence of pieces: tells whether two runs saw the same data. Not a defence against forgery.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

struct XXH3_state_s;

namespace ipa {

class Fingerprint {
 public:
  Fingerprint();
  ~Fingerprint();
  Fingerprint(const Fingerprint&) = delete;
  Fingerprint& operator=(const Fingerprint&) = delete;

  void bytes(const void* data, size_t count);  // continues the stream: cutting it otherwise changes nothing
  void text(std::string_view text);            // its length, then itself: "ab","c" differs from "a","bc"
  void number(int64_t value);
  template <class T>
  void values(std::span<const T> values) {  // their count, then themselves
    number(static_cast<int64_t>(values.size()));
    bytes(values.data(), values.size_bytes());
  }
  std::string hex() const;  // 32 digits, of what was added so far

 private:
  XXH3_state_s* state_;
};

std::string fingerprint_file(const std::filesystem::path& path);  // of its bytes; throws ErrorKind::io

// Of the named datasets of an HDF5 file: names, types, shapes and values, however they are stored; those that are
// absent count as such. Throws ErrorKind::input, ErrorKind::io.
std::string fingerprint_datasets(const std::filesystem::path& path, std::span<const std::string> names);

}  // namespace ipa
