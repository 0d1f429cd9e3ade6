// The emulator runs right kernels rightly and reports what is wrong with wrong ones.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "engine/error.h"
#include "kernels/emulation/controls.h"
#include "tests/emulation/emulator_kernels.cuh"

using namespace ipa;
using namespace ipa::emulator_kernels;
using Catch::Matchers::Contains;

namespace {

struct Schedule {  // for one scope
  explicit Schedule(std::uint64_t seed) { emulation::set_schedule(seed); }
  ~Schedule() { emulation::set_schedule(0); }
};

struct Skipped {
  explicit Skipped(const std::string& place) { emulation::skip_barrier(place); }
  ~Skipped() { emulation::skip_barrier(""); }
};

std::vector<float> ramp(std::size_t count) {
  std::vector<float> x(count);
  for (std::size_t i = 0; i < count; ++i) x[i] = static_cast<float>(i * i % 61) - 20.0f;
  return x;
}

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::internal);
    return e.what();
  }
  return "no error";
}

// The line of the `number`th occurrence of `text` in the kernels' file, as "path:line".
std::string place_of(const std::string& text, int number = 1) {
  std::ifstream file(std::string(IPA_TEST_DIR) + "/emulation/emulator_kernels.cuh");
  std::string line;
  for (int n = 1; std::getline(file, line); ++n)
    if (line.find(text) != std::string::npos && --number == 0)
      return "tests/emulation/emulator_kernels.cuh:" + std::to_string(n);
  FAIL("no such line: " << text);
  return {};
}

std::string after(const std::string& place, int lines) {
  const std::size_t colon = place.rfind(':');
  return place.substr(0, colon + 1) + std::to_string(std::stoi(place.substr(colon + 1)) + lines);
}

}  // namespace

TEST_CASE("Every thread knows its place") {
  Stream stream;
  const unsigned seed = GENERATE(0u, 1u, 2u);
  const Schedule schedule(seed);
  std::vector<int> out(3 * 2 * 4 * 5 * 3 * 2, -1);
  launch(stream, {3, 2, 4}, {5, 3, 2}, 0, write_indices, out.data());
  std::size_t i = 0;
  for (int bz = 0; bz < 4; ++bz)
    for (int by = 0; by < 2; ++by)
      for (int bx = 0; bx < 3; ++bx)
        for (int tz = 0; tz < 2; ++tz)
          for (int ty = 0; ty < 3; ++ty)
            for (int tx = 0; tx < 5; ++tx, ++i)
              REQUIRE(out[i] == tx + 10 * ty + 100 * tz + 1000 * bx + 10000 * by + 100000 * bz);
}

TEST_CASE("Structs are passed by value and arguments are converted") {
  Stream stream;
  const std::vector<float> x = ramp(1000);
  std::vector<float> y(1000, -1.0f);
  launch(stream, 4, 256, 0, map<Scale>, y.data(), x.data(), std::size_t{999}, Scale{2.0f});
  for (std::size_t i = 0; i < 999; ++i) REQUIRE(y[i] == 2.0f * x[i]);
  CHECK(y[999] == -1.0f);
}

TEST_CASE("A block's sum needs each of its barriers") {
  Stream stream;
  const std::vector<float> x = ramp(8 * 256);
  const auto right = [&] {
    std::vector<float> sum(8);
    launch(stream, 8, 256, 256 * sizeof(float), block_sum, sum.data(), x.data());
    for (std::size_t b = 0; b < 8; ++b) {
      const auto first = x.begin() + static_cast<std::ptrdiff_t>(b * 256);
      if (sum[b] != std::accumulate(first, first + 256, 0.0f)) return false;  // small integers: exact in any order
    }
    return true;
  };
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Schedule schedule(seed);
    CHECK(right());
  }
  const std::string first = place_of("  __syncthreads();"), second = after(first, 3);
  for (const std::string& barrier : {first, second}) {
    const Skipped skipped(barrier);
    int wrong = 0;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      const Schedule schedule(seed);
      wrong += !right();
    }
    INFO(barrier);
    CHECK(wrong == 3);
    CHECK_THAT(emulation::executed_barriers(),
               Catch::Matchers::Predicate<std::vector<std::string>>([&](const auto& all) {
                 return std::ranges::any_of(all, [&](const std::string& b) { return b.ends_with(barrier); });
               }));
  }
  CHECK(right());
  CHECK_THROWS_AS(emulation::skip_barrier("kernels/gram.cuh"), Error);
}

TEST_CASE("A random schedule shows what the order hides") {
  Stream stream;
  const std::vector<float> x = ramp(128);
  const auto right = [&](std::uint64_t seed) {
    const Schedule schedule(seed);
    std::vector<float> y(128);
    launch(stream, 1, 128, 128 * sizeof(float), shift, y.data(), x.data());
    return y[0] == 0.0f && std::equal(y.begin() + 1, y.end(), x.begin());
  };
  for (std::uint64_t seed = 0; seed < 10; ++seed) CHECK(right(seed));
  const Skipped skipped(place_of("// of shift"));
  CHECK(right(0));
  for (std::uint64_t seed = 1; seed < 10; ++seed) CHECK_FALSE(right(seed));
}

TEST_CASE("A missing __syncwarp shows") {
  Stream stream;
  const std::vector<float> x = ramp(64);
  const auto right = [&] {
    std::vector<float> y(64);
    launch(stream, 1, 64, 64 * sizeof(float), reverse_in_warp, y.data(), x.data());
    for (std::size_t i = 0; i < 64; ++i)
      if (y[i] != x[i / 32 * 32 + 31 - i % 32]) return false;
    return true;
  };
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const Schedule schedule(seed);
    CHECK(right());
    const Skipped skipped(place_of("  __syncwarp();"));
    CHECK_FALSE(right());
  }
}

TEST_CASE("Divergence and deadlocks are reported with their places") {
  Stream stream;
  const unsigned seed = GENERATE(0u, 1u, 2u, 3u);
  const Schedule schedule(seed);
  const std::string branch = place_of("void barrier_in_branch");
  CHECK_THAT(error_of([&] { launch(stream, 3, 64, 0, barrier_in_branch); }),
             Contains("divergent __syncthreads") && Contains(after(branch, 2)) && Contains(after(branch, 4)));

  CHECK_THAT(error_of([&] { launch(stream, 1, 64, 0, barrier_for_some); }),
             Contains("40 wait for their block at") && Contains(after(place_of("void barrier_for_some"), 1)) &&
                 Contains("24 ended"));

  std::vector<int> out(32);
  const std::string shuffle = place_of("void shuffle_in_branch");
  CHECK_THAT(error_of([&] { launch(stream, 1, 32, 0, shuffle_in_branch, out.data()); }),
             Contains("divergent warp collective") && Contains(after(shuffle, 3)) && Contains(after(shuffle, 5)));

  const std::string mixed = place_of("void warp_against_block");
  CHECK_THAT(error_of([&] { launch(stream, 1, 32, 0, warp_against_block); }),
             Contains("wait for each other for ever") && Contains("1 wait for their warp at") &&
                 Contains("31 wait for their block at") && Contains(after(mixed, 2)) && Contains(after(mixed, 4)));

  std::vector<float> sums(32);
  std::vector<int> lanes(7 * 32);
  CHECK_THAT(error_of([&] { launch(stream, 1, 20, 0, shuffles, lanes.data(), sums.data()); }),
             Contains("a warp of 20 threads"));
}

TEST_CASE("After an error the next launch is sound") {
  Stream stream;
  CHECK_THROWS_AS(launch(stream, 5, 64, 0, barrier_for_some), Error);
  std::vector<float> sum(1);
  const std::vector<float> x = ramp(128);
  launch(stream, 1, 128, 512, block_sum, sum.data(), x.data());
  CHECK(sum[0] == std::accumulate(x.begin(), x.end(), 0.0f));
}

TEST_CASE("Shared memory is poisoned, bounded and aligned") {
  Stream stream;
  launch(stream, 1, 1, 100, write_shared, 99);
  CHECK_THAT(error_of([&] { launch(stream, 1, 1, 100, write_shared, 100); }), Contains("wrote shared byte 100 of 100"));
  CHECK_THAT(error_of([&] { launch(stream, 1, 1, 100, write_shared, -1); }), Contains("1 bytes before"));
  float value = 0;
  launch(stream, 1, 1, 4, read_shared, &value);
  CHECK(std::isnan(value));
  value = 0;
  launch(stream, 1, 2, 4, read_shared, &value);  // the second thread reads just past the end
  CHECK(std::isnan(value));
  launch(stream, 1, 1, 227 * 1024, write_shared, 227 * 1024 - 1);

  alignas(16) unsigned char bytes[32] = {1, 2, 3, 4};
  std::uint32_t word = 0;
  launch(stream, 1, 1, 0, load_at, bytes, &word);
  CHECK(word == 0x04030201u);
  CHECK_THAT(error_of([&] { launch(stream, 1, 1, 0, load_at, bytes + 8, &word); }),
             Contains("no multiple of 16") && Contains(place_of("void load_at")));
}

TEST_CASE("What a GPU refuses to launch is refused") {
  Stream stream;
  CHECK_THAT(error_of([&] { launch(stream, 1, 1025, 0, barrier_for_some); }), Contains("1025 threads"));
  CHECK_THAT(error_of([&] { launch(stream, 1, 1, 227 * 1024 + 1, barrier_for_some); }), Contains("232449 bytes"));
  CHECK_THAT(error_of([&] { launch(stream, 0, 32, 0, barrier_for_some); }), Contains("empty grid"));
  CHECK_THAT(error_of([&] { launch(stream, {1, 65536}, 32, 0, barrier_for_some); }), Contains("65536"));
}

TEST_CASE("A stack overflow is reported") {
  Stream stream;
  int out = 0;
  launch(stream, 1, 1, 0, deep_stack, &out, 20);
  CHECK(out == 210);
  CHECK_THAT(error_of([&] { launch(stream, 1, 1, 0, deep_stack, &out, 36); }), Contains("of stack"));
}

TEST_CASE("Shuffles and votes") {
  Stream stream;
  const unsigned seed = GENERATE(0u, 1u, 2u, 3u);
  const Schedule schedule(seed);
  std::vector<int> out(7 * 32);
  std::vector<float> sum(32);
  launch(stream, 1, 32, 0, shuffles, out.data(), sum.data());
  for (int i = 0; i < 32; ++i) {
    const int* mine = out.data() + 7 * i;
    CHECK(mine[0] == 100 + (i + 3) % 32);
    CHECK(mine[1] == 100 + (i ^ 5));
    CHECK(mine[2] == 100 + (i + 4 < 32 ? i + 4 : i));
    CHECK(mine[3] == 100 + (i >= 4 ? i - 4 : i));
    CHECK(static_cast<unsigned>(mine[4]) == 0x49249249u);
    CHECK(mine[5] == 1);
    CHECK(mine[6] == 0);
    CHECK(sum[static_cast<std::size_t>(i)] == 512.0f);
  }
}

TEST_CASE("Tensor-core products, from registers and through ldmatrix") {
  Stream stream;
  const unsigned seed = GENERATE(0u, 1u, 2u);
  const Schedule schedule(seed);
  alignas(16) bf16 a[256], b[128];
  for (int i = 0; i < 256; ++i) a[i] = to_bf16(std::sin(1.7f * static_cast<float>(i)));
  for (int i = 0; i < 128; ++i) b[i] = to_bf16(std::cos(0.9f * static_cast<float>(i)) + 0.01f * static_cast<float>(i));
  for (const bool through_shared : {false, true}) {
    std::vector<float> d = ramp(128);
    if (through_shared)
      launch(stream, 1, 32, 1024, mma_tile_ldmatrix, d.data(), a, b);
    else
      launch(stream, 1, 32, 0, mma_tile, d.data(), a, b);
    for (std::size_t i = 0; i < 16; ++i) {
      for (std::size_t j = 0; j < 8; ++j) {
        double sum = double{ramp(128)[i * 8 + j]};
        for (std::size_t k = 0; k < 16; ++k) sum += double{to_float(a[i * 16 + k])} * to_float(b[k * 8 + j]);
        CHECK(d[i * 8 + j] == Approx(sum).epsilon(1e-6).margin(1e-6));
      }
    }
  }
}

TEST_CASE("Asynchronous copies arrive at their wait, not before") {
  Stream stream;
  alignas(16) std::uint32_t from[8];
  std::iota(from, from + 8, 100u);
  std::vector<std::uint32_t> out(6);
  launch(stream, 1, 1, 32, copy_in_groups, from, out.data());
  CHECK(out == std::vector<std::uint32_t>{7, 7, 100, 7, 103, 107});
}

TEST_CASE("Vectors of 16 bytes") {
  Stream stream;
  alignas(16) float y[512] = {};
  alignas(16) float x[512];
  std::ranges::copy(ramp(512), x);
  launch(stream, 2, 64, 0, copy_vectors, y, x);
  CHECK(std::memcmp(x, y, sizeof x) == 0);
}

TEST_CASE("bf16 rounds to nearest even and keeps NaN and infinity") {
  CHECK(to_bf16(1.0f).bits == 0x3f80);
  CHECK(to_bf16(-2.5f).bits == 0xc020);
  CHECK(to_bf16(1.00390625f).bits == 0x3f80);  // a tie, to even
  CHECK(to_bf16(1.01171875f).bits == 0x3f82);  // a tie, to even
  CHECK(to_bf16(std::nextafter(1.00390625f, 2.0f)).bits == 0x3f81);
  CHECK(to_bf16(3.4e38f).bits == 0x7f80);
  CHECK(to_bf16(-INFINITY).bits == 0xff80);
  CHECK(std::isnan(to_float(to_bf16(std::bit_cast<float>(0x7f800001u)))));
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const bf16 v{static_cast<std::uint16_t>(bits)};
    if (!std::isnan(to_float(v))) REQUIRE(to_bf16(to_float(v)).bits == bits);
  }
}

TEST_CASE("Rate of launches") {
  Stream stream;
  std::vector<float> x = ramp(8 * 256), y(8 * 256), sum(8);
  const auto rate = [](const auto& f) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 200; ++i) f();
    return 200 / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const double simple = rate([&] { launch(stream, 8, 256, 0, map<Scale>, y.data(), x.data(), 2048, Scale{2.0f}); });
  const double barriers = rate([&] { launch(stream, 8, 256, 1024, block_sum, sum.data(), x.data()); });
  WARN("launches of 8 x 256 threads a second: " << simple << " without a barrier, " << barriers << " with 9 barriers");
  CHECK(barriers > 10);
}
