// A file by its descriptor, for what streams cannot do: locks, rows that arrive in one piece, durability.
#pragma once

#include <filesystem>
#include <string_view>
#include <utility>

namespace ipa {

class Descriptor {
 public:
  Descriptor(std::filesystem::path path, int flags);  // open(2), closed on exec, mode 0666; throws ErrorKind::io
  Descriptor(Descriptor&& other) noexcept : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}
  ~Descriptor();

  int fd() const { return fd_; }
  const std::filesystem::path& path() const { return path_; }
  void write(std::string_view bytes);  // all of them
  void sync();

 private:
  std::filesystem::path path_;
  int fd_;
};

}  // namespace ipa
