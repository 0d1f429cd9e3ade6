#include "bench/roof.h"

#include <fmt/core.h>
#include <omp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <vector>

#include "bench/fill.h"
#include "engine/buffer.h"
#include "engine/recording.h"
#include "engine/time_marks.h"
#include "kernels/concat.h"
#include "kernels/matmul.h"
#include "kernels/parallel.h"

namespace ipa::bench {
namespace {

double seconds_of(const auto& body) {
  double best = 1e30;
  for (int attempt = 0; attempt < 8; ++attempt) {
    const auto start = std::chrono::steady_clock::now();
    body();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

double copy_rate() {
  const std::int64_t count = 48 << 20;
  std::vector<float> from(static_cast<std::size_t>(count), 1.0f), to(static_cast<std::size_t>(count));
  const double seconds = seconds_of([&] {
    parallel_range(count, [&](std::int64_t first, std::int64_t last) {
      std::copy(from.begin() + first, from.begin() + last, to.begin() + first);
    });
  });
  return 2.0 * static_cast<double>(count) * sizeof(float) / seconds * 1e-9;
}

double multiply_add_rate() {
#ifdef __AVX512F__
  constexpr int lanes = 16;
#else
  constexpr int lanes = 8;
#endif
  using Vector [[gnu::vector_size(lanes * sizeof(float))]] = float;
  constexpr int chains = 12;  // enough to hide the latency of two units, few enough for 16 registers
  const std::int64_t rounds = 4'000'000;
  const int threads = omp_get_max_threads();
  std::vector<float> sums(static_cast<std::size_t>(threads) * 16);
  const double seconds = seconds_of([&] {
#pragma omp parallel for schedule(static)
    for (int t = 0; t < threads; ++t) {
      Vector sum[chains];  // of different numbers: equal chains would be computed once
      for (int c = 0; c < chains; ++c) sum[c] = Vector{} + static_cast<float>(t + c);
      const Vector factor = Vector{} + 0.999f, term = Vector{} + 0.5f;
      for (std::int64_t r = 0; r < rounds; ++r)
        for (int c = 0; c < chains; ++c) sum[c] = sum[c] * factor + term;
      Vector total = {};
      for (const Vector& s : sum) total += s;
      sums[static_cast<std::size_t>(t) * 16] = total[0];
    }
  });
  if (!(sums[0] > 0)) return 0;  // keeps the work alive
  return 2.0 * static_cast<double>(threads * rounds) * chains * lanes / seconds * 1e-9;
}

// Replays `work` on a device's stream; the best of a few tries.
double device_seconds_of(Stream& stream, const std::function<void(Stream&)>& work) {
  work(stream);  // warm
  Recording recording(stream, work);
  TimeMarks marks(stream.device(), 2);
  double best = 1e30;
  for (int attempt = 0; attempt < 8; ++attempt) {
    marks.set(stream, 0);
    recording.replay(stream);
    marks.set(stream, 1);
    stream.wait();
    best = std::min(best, marks.seconds(0, 1));
  }
  return best;
}

// Sizes grow until one takes so long that nothing of its launch is seen: on an emulated device early, on a GPU late.
constexpr double long_enough = 2e-3;

double device_copy_rate(Device device) {
  Stream stream(device);
  for (std::int64_t pixels = std::int64_t{1} << 16;; pixels *= 4) {
    const TensorSpec spec{{1, 1, pixels, 64}, DType::bf16};
    const Buffer from("copied", bytes_on(device, spec), device), to("copy", bytes_on(device, spec), device);
    const std::array parts{from.tensor(spec)};
    const double seconds = device_seconds_of(stream, [&](Stream& s) { concat_channels(s, to.tensor(spec), parts); });
    if (seconds >= long_enough || pixels >= std::int64_t{1} << 26)
      return 2 * static_cast<double>(spec.bytes()) / seconds * 1e-9;
  }
}

double device_product_rate(Device device) {
  Stream stream(device);
  for (std::int64_t n = 128;; n *= 2) {
    const TensorSpec spec{{1, 1, n, n}, DType::bf16};
    const Buffer a("factor", bytes_on(device, spec), device), b("factor", bytes_on(device, spec), device),
        c("product", bytes_on(device, spec), device);
    fill_with_numbers(a.tensor(spec));
    fill_with_numbers(b.tensor(spec));
    const PreparedMatmul product = prepare_matmul(device, {.batch = 1, .m = n, .n = n, .k = n}, DType::bf16);
    const Buffer workspace("workspace", product.workspace_bytes, device);
    if (product.ready) product.ready(stream);
    const double seconds =
        device_seconds_of(stream, [&](Stream& s) { product.run(s, c.data(), a.data(), b.data(), workspace.data()); });
    if (seconds >= long_enough || n >= 16384) return 2 * static_cast<double>(n * n * n) / seconds * 1e-9;
  }
}

// Machines to predict for. H200: rates that a copy and a large bf16 product of random numbers reached on one, of 4,800
// GB/s and 989 TFLOP/s in its data sheet; the kernels' floors (kernels/*.h) are of the same.
const std::array described{Roof{4300, 790e3, "h200"}};

}  // namespace

Roof measure_roof(Device device) {
  if (device.is_cpu()) return {copy_rate(), multiply_add_rate()};
  return {device_copy_rate(device), device_product_rate(device)};
}

Roof roof_of(const std::string& text) {
  for (const Roof& r : described)
    if (r.name == text) return r;
  std::array<double, 2> rates{};
  const char *at = text.data(), *end = at + text.size();
  for (std::size_t i = 0; i < 2; ++i) {
    const auto [stop, problem] = std::from_chars(at, end, rates[i]);
    const bool last = i == 1;
    if (problem != std::errc() || !(rates[i] > 0) || (last ? stop != end : stop == end || *stop != ','))
      fail(ErrorKind::usage, fmt::format("--roof {}: no such machine, and not two rates", text), "",
           "give h200, or GB/s,GFLOP/s such as 24,221");
    at = stop + 1;
  }
  return {rates[0], rates[1], "given"};
}

}  // namespace ipa::bench
