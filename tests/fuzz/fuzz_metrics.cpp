// metrics.csv of a run folder: as `evaluate` draws it, and as a resumed run goes on with it.
#include "apps/training_curves.h"
#include "io/metrics_log.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::filesystem::path folder = fuzz::folder("metrics"), path = folder / "metrics.csv";
  fuzz::write(path, data, size);
  fuzz::expect_error_at_most([&] { ipa::training_curves(folder); });
  fuzz::expect_error_at_most([&] {
    ipa::MetricsLog log(path, {"total", "l1"}, 100);
    const double values[] = {1, 2};
    log.append(101, values);
    ipa::training_curves(folder);
  });
  return 0;
}
