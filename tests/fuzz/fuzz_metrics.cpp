// metrics.csv of a run folder: as `evaluate` draws it, and as a resumed run goes on with it.
#include <cstdio>

#include "apps/training_curves.h"
#include "io/atomic_file.h"
#include "io/metrics_log.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::filesystem::path folder = [] {
    char name[] = "/dev/shm/fuzz_metrics_XXXXXX";
    fuzz::insist(::mkdtemp(name) != nullptr);
    std::atexit([] { std::filesystem::remove_all(folder); });
    return std::filesystem::path(name);
  }();
  const std::filesystem::path path = folder / "metrics.csv";
  std::FILE* file = std::fopen(path.c_str(), "wb");
  fuzz::insist(file && std::fwrite(data, 1, size, file) == size && std::fclose(file) == 0);
  fuzz::expect_error_at_most([&] { ipa::training_curves(folder); });
  fuzz::expect_error_at_most([&] {
    ipa::MetricsLog log(path, {"total", "l1"}, 100);
    const double values[] = {1, 2};
    log.append(101, values);
    ipa::training_curves(folder);
  });
  return 0;
}
