#include "io/fingerprint.h"

#include <fmt/core.h>
#include <xxhash.h>

#include <fstream>
#include <new>
#include <vector>

#include "engine/error.h"
#include "io/atomic_file.h"

namespace ipa {

Fingerprint::Fingerprint() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  XXH3_128bits_reset(state_);
}

Fingerprint::~Fingerprint() { XXH3_freeState(state_); }

void Fingerprint::bytes(const void* data, size_t count) {
  if (count > 0) XXH3_128bits_update(state_, data, count);
}

void Fingerprint::text(std::string_view text) {
  number(static_cast<int64_t>(text.size()));
  bytes(text.data(), text.size());
}

void Fingerprint::number(int64_t value) { bytes(&value, sizeof value); }

std::string Fingerprint::hex() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string fingerprint_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) fail_errno("cannot open", path);
  Fingerprint fingerprint;
  std::vector<char> block(1 << 20);
  do {
    in.read(block.data(), static_cast<std::streamsize>(block.size()));
    fingerprint.bytes(block.data(), static_cast<size_t>(in.gcount()));
  } while (in);
  if (in.bad()) fail_errno("cannot read", path);
  return fingerprint.hex();
}

}  // namespace ipa
