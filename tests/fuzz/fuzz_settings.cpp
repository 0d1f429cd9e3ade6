// Settings: the first byte says whether the rest is a document or one --set.
#include "apps/settings.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  fuzz::expect_error_at_most([&] {
    const ipa::Settings settings =
        data[0] % 2 ? ipa::load_settings("demo", {}, {text}) : ipa::parse_settings(text, "fuzz");
    const ipa::Settings again = ipa::parse_settings(to_toml(settings), "again");
    fuzz::insist(differing_keys(settings, again).empty());
  });
  return 0;
}
