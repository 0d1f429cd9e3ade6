#include "io/seal.h"

#include <fmt/core.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "engine/error.h"
#include "io/atomic_file.h"
#include "io/fingerprint.h"

namespace ipa {
namespace {

constexpr size_t kSealBytes = 64;
constexpr std::string_view kSealMark = "ipaseal1 ";

// The seal of the first `length` bytes.
std::string seal_of(std::ifstream& in, uint64_t length, const std::filesystem::path& path) {
  Fingerprint fingerprint;
  std::vector<char> block(std::min<uint64_t>(length, 1 << 20));
  for (uint64_t left = length; left > 0;) {
    const size_t count = std::min<uint64_t>(left, block.size());
    if (!in.read(block.data(), static_cast<std::streamsize>(count))) fail_errno("cannot read", path);
    fingerprint.bytes(block.data(), count);
    left -= count;
  }
  return fmt::format("{:<{}}\n", fmt::format("{}{:016x} {}", kSealMark, length, fingerprint.hex()), kSealBytes - 1);
}

std::ifstream open(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) fail_errno("cannot open", path);
  return in;
}

uint64_t size_of(const std::filesystem::path& path) {
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(path, error);
  if (error) fail(ErrorKind::io, "cannot read: " + error.message(), path.string(), "check the path");
  return size;
}

}  // namespace

void seal_file(const std::filesystem::path& path) {
  std::ifstream in = open(path);
  const std::string seal = seal_of(in, size_of(path), path);
  std::ofstream out(path, std::ios::binary | std::ios::app);
  if (!out.write(seal.data(), kSealBytes) || !out.flush()) fail_errno("cannot write", path);
}

bool has_seal(const std::filesystem::path& path) {
  const uint64_t size = size_of(path);
  if (size < kSealBytes) return false;
  std::ifstream in = open(path);
  std::string start(kSealMark.size(), '\0');
  in.seekg(static_cast<std::streamoff>(size - kSealBytes));
  return in.read(start.data(), static_cast<std::streamsize>(start.size())) && start == kSealMark;
}

void check_seal(const std::filesystem::path& path) {
  const uint64_t size = size_of(path);
  std::ifstream in = open(path);
  const auto damaged = [&](std::string_view what) {
    fail(ErrorKind::input, what, path.string(), "take another checkpoint, this file cannot be trusted");
  };
  if (size < kSealBytes) damaged("the file is cut short");
  const std::string wanted = seal_of(in, size - kSealBytes, path);
  std::string found(kSealBytes, '\0');
  if (!in.read(found.data(), kSealBytes)) fail_errno("cannot read", path);
  if (found == wanted) return;
  if (!found.starts_with(kSealMark))
    damaged("the file does not end in our seal: cut short, changed, or of another program");
  damaged("the file is damaged: its content does not match its seal");
}

}  // namespace ipa
