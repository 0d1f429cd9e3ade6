// What two processes tell each other: numbers and texts, read in the order in which they were put. Whoever reads a
// packet distrusts it: PacketError where it holds less, more or something else than is asked for.
#pragma once

#include <cstdint>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace ipa {

struct PacketError : std::exception {
  const char* what() const noexcept override { return "a malformed message"; }
};

class Packet {
 public:
  Packet() = default;
  explicit Packet(std::string bytes) : bytes_(std::move(bytes)) {}
  const std::string& bytes() const { return bytes_; }

  Packet& put(uint64_t number) {
    bytes_.append(reinterpret_cast<const char*>(&number), sizeof number);
    return *this;
  }
  Packet& put(std::string_view text) {
    put(uint64_t{text.size()});
    bytes_ += text;
    return *this;
  }
  Packet& put(const std::vector<std::string>& texts) {
    put(uint64_t{texts.size()});
    for (const std::string& text : texts) put(std::string_view(text));
    return *this;
  }

  uint64_t number(uint64_t most = ~uint64_t{0}) {
    uint64_t value = 0;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    if (value > most) throw PacketError();
    return value;
  }
  bool flag() { return number(1) == 1; }
  std::string text() { return std::string(take(number())); }
  std::vector<std::string> texts() {
    const uint64_t count = number((bytes_.size() - at_) / sizeof(uint64_t));  // each begins with its length
    std::vector<std::string> all;
    all.reserve(count);
    for (uint64_t i = 0; i < count; ++i) all.push_back(text());
    return all;
  }
  void end() const {
    if (at_ != bytes_.size()) throw PacketError();
  }

 private:
  // Not inlined: GCC 12 would warn of reading a short string's own buffer.
  [[gnu::noinline]] std::string_view take(uint64_t count) {
    if (count > bytes_.size() - at_) throw PacketError();
    at_ += count;
    return std::string_view(bytes_).substr(at_ - count, count);
  }

  std::string bytes_;
  size_t at_ = 0;
};

}  // namespace ipa
