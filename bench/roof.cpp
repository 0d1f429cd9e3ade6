#include "bench/roof.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

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

}  // namespace

Roof measure_roof() { return {copy_rate(), multiply_add_rate()}; }

}  // namespace ipa::bench
