// safetensors (https://huggingface.co/docs/safetensors): u64 header length, JSON header, one buffer of little-endian
// arrays.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "engine/weights.h"

namespace ipa {

struct Safetensors {
  WeightMap arrays;                             // in the order of the buffer
  std::map<std::string, std::string> metadata;  // the header's __metadata__
};

// Reads F32, and F16, BF16 and F64 converted to it. The file is not trusted: header at most 100 MB, no duplicate names,
// the arrays cover the buffer without hole or overlap, every value finite. Throws ErrorKind::input, ErrorKind::io.
Safetensors read_safetensors(const std::filesystem::path& path);

// Writes F32, atomically. Throws ErrorKind::usage where the file exists and `overwrite` is false, ErrorKind::io.
void write_safetensors(const std::filesystem::path& path, const Safetensors& content, bool overwrite);

}  // namespace ipa
