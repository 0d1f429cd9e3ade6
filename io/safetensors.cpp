#include "io/safetensors.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/error.h"
#include "io/atomic_file.h"

namespace fs = std::filesystem;
using nlohmann::json;

namespace ipa {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian and so is this reader");

constexpr uint64_t kMostHeaderBytes = 100'000'000, kMostArrays = 100'000, kMostDimensions = 8;
constexpr int kMostDepth = 3;  // the header object, an array's object, its shape

struct Entry {
  std::string name, dtype;
  std::vector<int64_t> shape;
  uint64_t begin, end, count;
};

struct Reader {
  const fs::path& path;

  [[noreturn]] void refuse(std::string_view what, std::string_view array = {}) const {
    const std::string where = array.empty() ? path.string() : fmt::format("array '{}' of {}", array, path.string());
    fail(ErrorKind::input, what, where, "the file is damaged or not a safetensors file of weights");
  }

  json parse(const std::string& text) const {
    std::vector<std::set<std::string>> names;  // of the objects that are open
    uint64_t events = 0;
    const auto watch = [&](int depth, json::parse_event_t event, json& value) {
      if (++events > 32 * kMostArrays) refuse("the header has too many entries");
      if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) {
        if (depth >= kMostDepth) refuse("the header is nested too deeply");
        if (event == json::parse_event_t::object_start) names.emplace_back();
      } else if (event == json::parse_event_t::object_end) {
        names.pop_back();
      } else if (event == json::parse_event_t::key) {
        const auto& name = value.get_ref<const std::string&>();
        if (!names.back().insert(name).second) refuse(fmt::format("the name '{}' occurs twice", name));
      }
      return true;
    };
    try {
      return json::parse(text, watch);
    } catch (const json::exception& e) {
      refuse(fmt::format("the header is not JSON ({})", e.what()));
    }
  }

  Entry entry(const std::string& name, const json& value) const {
    if (!value.is_object() || value.size() != 3 || !value.contains("dtype") || !value.contains("shape") ||
        !value.contains("data_offsets"))
      refuse("an entry needs exactly dtype, shape and data_offsets", name);
    const json &dtype = value["dtype"], &shape = value["shape"], &offsets = value["data_offsets"];
    const auto natural = [](const json& n) { return n.is_number_unsigned(); };
    if (!dtype.is_string() || !shape.is_array() || shape.size() > kMostDimensions ||
        !std::ranges::all_of(shape, natural) || !offsets.is_array() || offsets.size() != 2 ||
        !std::ranges::all_of(offsets, natural))
      refuse("a dtype, shape or data_offsets of the wrong kind", name);
    Entry e{name, dtype, {}, offsets[0], offsets[1], 1};
    for (const json& length : shape) {
      const uint64_t n = length;
      if (n > (uint64_t{1} << 40) || __builtin_mul_overflow(e.count, n, &e.count)) refuse("a shape too large", name);
      e.shape.push_back(static_cast<int64_t>(n));
    }
    return e;
  }
};

size_t width_of(const Entry& e, const Reader& reader) {
  if (e.dtype == "F32") return 4;
  if (e.dtype == "F16" || e.dtype == "BF16") return 2;
  if (e.dtype == "F64") return 8;
  reader.refuse(fmt::format("the type {} (F32, F16, BF16 and F64 can be read)", e.dtype), e.name);
}

float from_half(uint16_t bits) {
  const float sign = bits & 0x8000 ? -1.f : 1.f;
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent == 31) return fraction ? NAN : sign * INFINITY;
  return sign * (exponent ? std::ldexp(1024.f + static_cast<float>(fraction), exponent - 25)
                          : std::ldexp(static_cast<float>(fraction), -24));
}

template <class T, class Convert>
void convert(const std::vector<char>& raw, std::vector<float>& values, Convert to_float) {
  for (size_t i = 0; i < values.size(); ++i) {
    T stored;
    std::memcpy(&stored, raw.data() + i * sizeof(T), sizeof(T));
    values[i] = to_float(stored);
  }
}

std::vector<float> values_of(const Entry& e, const std::vector<char>& raw) {
  std::vector<float> values(e.count);
  if (e.dtype == "F32") convert<float>(raw, values, [](float v) { return v; });
  if (e.dtype == "F64") convert<double>(raw, values, [](double v) { return static_cast<float>(v); });
  if (e.dtype == "F16") convert<uint16_t>(raw, values, from_half);
  if (e.dtype == "BF16")
    convert<uint16_t>(raw, values, [](uint16_t v) { return std::bit_cast<float>(uint32_t{v} << 16); });
  return values;
}

}  // namespace

Safetensors read_safetensors(const fs::path& path) {
  const Reader reader{path};
  std::ifstream in(path, std::ios::binary);
  if (!in) fail_errno("cannot open", path);
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  if (error) fail(ErrorKind::io, "cannot read: " + error.message(), path.string());
  const auto read = [&](void* to, uint64_t count) {
    if (!in.read(static_cast<char*>(to), static_cast<std::streamsize>(count))) fail_errno("cannot read", path);
  };
  uint64_t header_bytes = 0;
  if (size < 8) reader.refuse("the file is cut short");
  read(&header_bytes, 8);
  if (header_bytes > kMostHeaderBytes) reader.refuse("a header of more than 100 MB");
  if (header_bytes > size - 8) reader.refuse("the file is cut short");
  std::string text(header_bytes, '\0');
  read(text.data(), header_bytes);
  if (!text.starts_with('{')) reader.refuse("the header does not begin with '{'");
  const json header = reader.parse(text);

  Safetensors content;
  std::vector<Entry> entries;
  if (header.size() > kMostArrays) reader.refuse("the header has too many entries");
  for (const auto& [name, value] : header.items()) {
    if (name != "__metadata__") {
      entries.push_back(reader.entry(name, value));
      continue;
    }
    if (!value.is_object()) reader.refuse("__metadata__ is not an object");
    for (const auto& [key, meta] : value.items()) {
      if (!meta.is_string()) reader.refuse("__metadata__ holds something else than text");
      content.metadata[key] = meta;
    }
  }
  std::ranges::sort(entries,
                    [](const Entry& a, const Entry& b) { return std::tie(a.begin, a.end) < std::tie(b.begin, b.end); });
  const uint64_t buffer = size - 8 - header_bytes;
  uint64_t position = 0;
  for (const Entry& e : entries) {  // everything is checked before the first array is read
    uint64_t bytes = 0;
    if (e.begin != position || e.end < e.begin) reader.refuse("its data leave a hole or overlap", e.name);
    if (e.end > buffer) reader.refuse("its data lie beyond the end of the file", e.name);
    if (__builtin_mul_overflow(e.count, width_of(e, reader), &bytes) || bytes != e.end - e.begin)
      reader.refuse("its shape and its data differ in size", e.name);
    position = e.end;
  }
  if (position != buffer) reader.refuse(fmt::format("{} bytes belong to no array", buffer - position));
  for (Entry& e : entries) {
    std::vector<char> raw(e.end - e.begin);
    read(raw.data(), raw.size());
    std::vector<float> values = values_of(e, raw);
    if (!std::ranges::all_of(values, [](float v) { return std::isfinite(v); }))
      reader.refuse("not a finite number", e.name);
    content.arrays.push_back({std::move(e.name), std::move(e.shape), std::move(values)});
  }
  return content;
}

void write_safetensors(const fs::path& path, const Safetensors& content, bool overwrite) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!content.metadata.empty()) header["__metadata__"] = content.metadata;
  uint64_t position = 0;
  std::set<std::string_view> names;
  for (const NamedArray& array : content.arrays) {
    require(names.insert(array.name).second && array.name != "__metadata__", "safetensors: names must differ");
    uint64_t count = 1;
    for (int64_t n : array.shape) count *= static_cast<uint64_t>(n);
    require(count == array.values.size(), "safetensors: the values do not fill the shape");
    const uint64_t end = position + 4 * count;
    header[array.name] = {{"dtype", "F32"}, {"shape", array.shape}, {"data_offsets", {position, end}}};
    position = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // aligns the buffer
  const uint64_t header_bytes = text.size();

  AtomicFile file(path, overwrite);
  std::ofstream out(file.temporary(), std::ios::binary | std::ios::trunc);
  if (!out) fail_errno("cannot create", path);
  out.write(reinterpret_cast<const char*>(&header_bytes), 8);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  for (const NamedArray& array : content.arrays)
    out.write(reinterpret_cast<const char*>(array.values.data()),
              static_cast<std::streamsize>(4 * array.values.size()));
  out.close();
  if (!out) fail_errno("cannot write", path);
  file.commit();
}

}  // namespace ipa
