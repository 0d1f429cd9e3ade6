// The seal of checkpoints: only what seal_file() sealed passes, and a single flipped bit does not.
#include "io/checkpoint.h"
#include "io/seal.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::filesystem::path path = fuzz::as_file(data, size);
  bool passed = false;
  fuzz::expect_error_at_most([&] {
    ipa::check_seal(path);
    passed = true;
  });
  if (passed) fuzz::insist(ipa::has_seal(path));
  ipa::seal_file(path);
  ipa::check_seal(path);
  if (size == 0) return 0;
  std::string sealed(size + 64, '\0');
  {
    std::FILE* file = std::fopen(path.c_str(), "rb");
    fuzz::insist(std::fread(sealed.data(), 1, sealed.size(), file) == sealed.size());
    std::fclose(file);
  }
  sealed[data[0] % sealed.size()] ^= 1;
  bool caught = false;
  try {
    ipa::check_seal(fuzz::as_file(reinterpret_cast<const uint8_t*>(sealed.data()), sealed.size()));
  } catch (const ipa::Error& error) {
    caught = error.kind() == ipa::ErrorKind::input;
  }
  fuzz::insist(caught);
  return 0;
}
