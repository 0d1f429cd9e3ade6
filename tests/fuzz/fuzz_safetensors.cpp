// Files of weights: the header is the only JSON that this program reads.
#include "io/safetensors.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::expect_error_at_most([&] {
    const ipa::Safetensors content = ipa::read_safetensors(fuzz::as_file(data, size));
    for (const ipa::NamedArray& array : content.arrays) {
      uint64_t count = 1;
      for (const int64_t n : array.shape) count *= static_cast<uint64_t>(n);
      fuzz::insist(count == array.values.size());
    }
  });
  return 0;
}
