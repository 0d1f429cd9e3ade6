#include "io/event_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstring>

namespace ipa {
namespace {

template <class T>
void put(std::string& to, T value) {  // little-endian, as this program's machines are
  static_assert(std::endian::native == std::endian::little);
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  to.append(bytes, sizeof(T));
}

// Protobuf's wire format: a key (field number and wire type), then a varint (0), 8 bytes (1), a length and bytes (2) or
// 4 bytes (5).
void put_varint(std::string& to, uint64_t value) {
  for (; value >= 0x80; value >>= 7) to += static_cast<char>(value | 0x80);
  to += static_cast<char>(value);
}

void put_key(std::string& to, unsigned field, unsigned wire_type) { put_varint(to, field << 3 | wire_type); }

void put_integer(std::string& to, unsigned field, int64_t value) {
  put_key(to, field, 0);
  put_varint(to, static_cast<uint64_t>(value));
}

void put_bytes(std::string& to, unsigned field, std::string_view bytes) {
  put_key(to, field, 2);
  put_varint(to, bytes.size());
  to += bytes;
}

std::string event(int64_t step) {  // Event { double wall_time = 1; int64 step = 2; ... }
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  std::string e;
  put_key(e, 1, 1);
  put(e, now.count());
  put_integer(e, 2, step);
  return e;
}

uint32_t masked_crc(std::string_view bytes) {
  const uint32_t crc = crc32c(bytes);
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

std::string file_name() {
  static std::atomic<int> files = 0;
  char host[256] = "unknown";
  ::gethostname(host, sizeof host - 1);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return fmt::format("events.out.tfevents.{:010}.{}.{}.{}",
                     std::chrono::duration_cast<std::chrono::seconds>(now).count(), host, ::getpid(), files++);
}

// In a container every start may have the same process number: begun again within a second, the name is taken.
std::filesystem::path free_name(const std::filesystem::path& folder) {
  for (;;)
    if (const std::filesystem::path path = folder / file_name(); !std::filesystem::exists(path)) return path;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> t{};
    for (uint32_t i = 0; i < 256; ++i) {
      t[i] = i;
      for (int bit = 0; bit < 8; ++bit) t[i] = t[i] >> 1 ^ (t[i] & 1 ? 0x82f63b78u : 0u);
    }
    return t;
  }();
  uint32_t crc = ~0u;
  for (char c : bytes) crc = crc >> 8 ^ table[(crc ^ static_cast<uint8_t>(c)) & 255];
  return ~crc;
}

EventFile::EventFile(const std::filesystem::path& folder, int64_t first_step)
    : file_(free_name(folder), O_WRONLY | O_CREAT | O_EXCL) {
  std::string version = event(0), session = event(first_step), start;
  put_bytes(version, 3, "brain.Event:2");  // file_version
  put_integer(start, 1, 1);                // SessionLog { status = START }
  put_bytes(session, 7, start);            // session_log
  record(version);
  record(session);
}

void EventFile::scalars(int64_t step, std::span<const std::pair<std::string, double>> values) {
  std::string summary;  // Summary { repeated Value value = 1 }
  for (const auto& [tag, number] : values) {
    std::string value;  // Value { string tag = 1; float simple_value = 2; Image image = 4 }
    put_bytes(value, 1, tag);
    put_key(value, 2, 5);
    put(value, static_cast<float>(number));
    put_bytes(summary, 1, value);
  }
  std::string e = event(step);
  put_bytes(e, 5, summary);
  record(e);
}

void EventFile::image(int64_t step, std::string_view tag, const Image8& image) {
  std::string picture, value, summary, e = event(step);
  put_integer(picture, 1, image.height);  // Image { height = 1; width = 2; colorspace = 3; encoded_image_string = 4 }
  put_integer(picture, 2, image.width);
  put_integer(picture, 3, image.channels);
  put_bytes(picture, 4, encode_png(image));
  put_bytes(value, 1, tag);
  put_bytes(value, 4, picture);
  put_bytes(summary, 1, value);
  put_bytes(e, 5, summary);
  record(e);
}

void EventFile::record(std::string_view e) {
  std::string length, bytes;
  put(length, static_cast<uint64_t>(e.size()));
  bytes = length;
  put(bytes, masked_crc(length));
  bytes += e;
  put(bytes, masked_crc(e));
  file_.write(bytes);
}

}  // namespace ipa
