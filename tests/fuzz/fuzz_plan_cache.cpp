// The file of a kept plan: what is not exactly what was kept under this key counts as absent.
#include "kernels/plan_cache.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::filesystem::path folder = fuzz::folder("plan_cache");
  static const ipa::PlanCache cache(folder);
  static const std::filesystem::path path = [] {
    cache.keep("key", "plan");
    fuzz::insist(cache.find("key") == "plan");
    return std::filesystem::directory_iterator(folder)->path();
  }();
  fuzz::write(path, data, size);
  cache.find("key");
  cache.find("another");
  return 0;
}
