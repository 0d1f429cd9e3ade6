#include "io/safetensors.h"

#include <fmt/core.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/error.h"
#include "tests/support/bytes.h"
#include "tests/support/python.h"
#include "tests/support/temporary_folder.h"

namespace {

const ipa::Safetensors sample = {{{"z.weight", {2, 1, 1, 3}, {1, 2, 3, -4, 5e-39f, 6}},
                                  {"a.bias", {2}, {0.1f, -0.f}},
                                  {"scalar", {}, {7}},
                                  {"none", {0, 4}, {}}},
                                 {{"tool", "ipamedgan \"é\""}, {"step", "12"}}};

// The file of this header and `data` bytes of zeros.
std::string file_of(const std::string& header, size_t data) {
  const uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + std::string(data, '\0');
}

std::string refusal(const std::filesystem::path& path, const std::string& bytes) {
  write_bytes(path, bytes);
  try {
    ipa::read_safetensors(path);
  } catch (const ipa::Error& e) {
    CHECK(e.exit_code() == 3);
    CHECK_THAT(e.what(), Catch::Contains(path.string()));
    return e.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("safetensors: what is written is read, order and metadata kept", "[io]") {
  TemporaryFolder folder;
  ipa::write_safetensors(folder / "w.safetensors", sample, false);
  const ipa::Safetensors read = ipa::read_safetensors(folder / "w.safetensors");
  CHECK(read.metadata == sample.metadata);
  CHECK(read.arrays == sample.arrays);
  CHECK_THROWS_WITH(ipa::write_safetensors(folder / "w.safetensors", sample, false), Catch::Contains("--force"));
}

TEST_CASE("safetensors: numpy agrees on both directions and all four types", "[io]") {
  TemporaryFolder folder;
  ipa::write_safetensors(folder / "w.safetensors", sample, false);
  REQUIRE(python(folder.path, R"(
import json, struct
import numpy as np
data = open("w.safetensors", "rb").read()
n = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8:8 + n])
assert n % 8 == 0 and header.pop("__metadata__") == {"tool": 'ipamedgan "é"', "step": "12"}
z = header["z.weight"]
assert z["dtype"] == "F32" and z["shape"] == [2, 1, 1, 3]
assert (np.frombuffer(data[8 + n:][slice(*z["data_offsets"])], "<f4") == np.float32([1, 2, 3, -4, 5e-39, 6])).all()

half = np.arange(65536, dtype=np.uint16)[np.isfinite(np.arange(65536, dtype=np.uint16).view(np.float16))].view(np.float16)
double = np.array([[1 / 3, -1e-40], [3e38, 0]])
brain = np.float32([1, -2.5, 2.0**-126]).view(np.uint32) >> 16
parts = [("half", "F16", half), ("double", "F64", double), ("brain", "BF16", brain.astype(np.uint16))]
header, body = {}, b""
for name, dtype, a in parts:
    header[name] = {"dtype": dtype, "shape": list(a.shape), "data_offsets": [len(body), len(body) + a.nbytes]}
    body += a.tobytes()
text = json.dumps(header).encode()
open("types.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + body)
half.astype(np.float32).tofile("half.f32")
)"));
  const ipa::Safetensors read = ipa::read_safetensors(folder / "types.safetensors");
  REQUIRE(read.arrays.size() == 3);
  const std::string half = read_bytes(folder / "half.f32");
  REQUIRE(half.size() == 4 * read.arrays[0].values.size());
  CHECK(std::memcmp(half.data(), read.arrays[0].values.data(), half.size()) == 0);
  CHECK(read.arrays[1] == ipa::NamedArray{"double", {2, 2}, {1.f / 3, -1e-40f, 3e38f, 0}});
  CHECK(read.arrays[2] == ipa::NamedArray{"brain", {3}, {1, -2.5f, std::numeric_limits<float>::min()}});
}

TEST_CASE("safetensors: every malformed file is an input error that says why", "[io]") {
  TemporaryFolder folder;
  const auto path = folder / "bad.safetensors";
  const auto entry = [](const std::string& name, const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
    return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":{}}})", name, dtype, shape, offsets);
  };
  const auto one = [&](const std::string& shape, const std::string& offsets, size_t bytes,
                       const std::string& dtype = "F32") {
    return file_of(fmt::format("{{{}}}", entry("a", dtype, shape, offsets)), bytes);
  };
  REQUIRE(refusal(path, one("[2]", "[0,8]", 8)) == "accepted");
  const auto refuses = [&](const std::string& bytes, const std::string& why) {
    CHECK_THAT(refusal(path, bytes), Catch::Contains(why));
  };
  refuses("", "cut short");
  refuses(file_of("{}", 0).substr(0, 9), "cut short");
  refuses(std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10), "more than 100 MB");
  refuses(file_of("[]", 0), "does not begin with '{'");
  refuses(file_of("{\"a\":", 0), "not JSON");
  refuses(file_of("{\"a\":" + std::string(100000, '['), 0), "nested too deeply");
  refuses(file_of(fmt::format("{{{},{}}}", entry("a", "F32", "[1]", "[0,4]"), entry("a", "F32", "[1]", "[4,8]")), 8),
          "occurs twice");
  refuses(file_of(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4), "occurs twice");
  refuses(file_of(R"({"a":{"dtype":"F32","shape":[1]}})", 4), "needs exactly");
  refuses(file_of(R"({"a":7})", 0), "needs exactly");
  refuses(file_of(R"({"__metadata__":{"a":7}})", 0), "something else than text");
  refuses(file_of(R"({"__metadata__":7})", 0), "not an object");
  refuses(one("[2]", "[0,8]", 8, "I64"), "the type I64");
  refuses(one("[-2]", "[0,8]", 8), "wrong kind");
  refuses(one("[2.0]", "[0,8]", 8), "wrong kind");
  refuses(one("[1,1,1,1,1,1,1,1,1]", "[0,4]", 4), "wrong kind");
  refuses(one("[2]", "[0,8,8]", 8), "wrong kind");
  refuses(one("[4294967296,4294967296]", "[0,8]", 8), "too large");
  refuses(one("[1099511627776,4194304]", "[0,8]", 8), "differ in size");
  refuses(one("[3]", "[0,8]", 8), "differ in size");
  refuses(one("[2]", "[8,0]", 8), "hole or overlap");
  refuses(one("[2]", "[4,12]", 12), "hole or overlap");
  refuses(one("[2]", "[0,8]", 4), "beyond the end");
  refuses(one("[2]", "[0,8]", 9), "1 bytes belong to no array");
  refuses(file_of(fmt::format("{{{},{}}}", entry("a", "F32", "[2]", "[0,8]"), entry("b", "F32", "[2]", "[4,12]")), 12),
          "hole or overlap");
  std::string nan = one("[1]", "[0,4]", 4);
  nan.replace(nan.size() - 4, 4, "\xff\xff\xff\x7f");
  refuses(nan, "not a finite number");
  std::string many = "{";
  for (int i = 0; i < 100001; ++i) many += fmt::format("\"{}\":0,", i);
  many.back() = '}';
  refuses(file_of(many, 0), "too many entries");
}

TEST_CASE("safetensors: any byte changed gives an error or a well-formed content, never a crash", "[io]") {
  TemporaryFolder folder;
  ipa::write_safetensors(folder / "w.safetensors", sample, false);
  const std::string good = read_bytes(folder / "w.safetensors");
  for (size_t i = 0; i < good.size(); ++i)
    for (int flip : {1, 0x20, 0x80, 0xff}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ flip);
      write_bytes(folder / "bad", bad);
      try {
        for (const auto& array : ipa::read_safetensors(folder / "bad").arrays) {
          int64_t count = 1;
          for (int64_t n : array.shape) count *= n;
          REQUIRE(count == static_cast<int64_t>(array.values.size()));
        }
      } catch (const ipa::Error& e) {
        REQUIRE(e.exit_code() == 3);
      }
    }
  for (size_t size = 0; size < good.size(); ++size) CHECK(refusal(folder / "bad", good.substr(0, size)) != "accepted");
}
