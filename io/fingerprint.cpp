#include "io/fingerprint.h"

#include <fmt/core.h>
#include <xxhash.h>

#include <algorithm>
#include <fstream>
#include <new>
#include <vector>

#include "engine/error.h"
#include "io/atomic_file.h"
#include "io/foreign_file.h"

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

std::string fingerprint_datasets(const std::filesystem::path& path, std::span<const std::string> names) {
  const ForeignFile file = ForeignFile::open(path);
  Fingerprint fingerprint;
  for (const std::string& name : names) {
    fingerprint.text(name);
    fingerprint.number(file.exists(name));
    if (!file.exists(name)) continue;
    const ForeignDataset dataset = file.dataset(name);
    if (!dataset.type()) {
      const std::vector<std::string> strings = dataset.read_strings();
      fingerprint.number(static_cast<int64_t>(strings.size()));
      for (const std::string& s : strings) fingerprint.text(s);
      continue;
    }
    fingerprint.text(name_of(*dataset.type()));
    fingerprint.values(std::span<const uint64_t>(dataset.shape()));
    const uint64_t rows = dataset.shape().empty() ? 1 : dataset.shape()[0];
    const uint64_t row_bytes = rows ? hdf5::elements(dataset.shape()) / rows * bytes_of(*dataset.type()) : 0;
    const uint64_t at_once = std::max<uint64_t>(1, (uint64_t{1} << 22) / std::max<uint64_t>(1, row_bytes));
    std::vector<char> block;
    for (uint64_t first = 0; first < rows; first += at_once) {
      const uint64_t count = std::min(at_once, rows - first);
      block.resize(count * row_bytes);
      dataset.read_rows(first, count, *dataset.type(), block.data());
      fingerprint.bytes(block.data(), block.size());
    }
  }
  return fingerprint.hex();
}

}  // namespace ipa
