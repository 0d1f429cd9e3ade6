// A stack as the child process reads it. Here HDF5's own defects show, which the child is there for: scripts/fuzz runs
// this one so that they are counted and passed over.
#include "io/stack.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::expect_error_at_most([&] {
    ipa::StackReader stack(fuzz::as_file(data, size), "", 16 << 20);
    if (stack.slice_bytes() > 1 << 20) return;
    std::vector<char> slice(stack.slice_bytes());
    for (uint64_t s = 0; s < std::min<uint64_t>(stack.info().count, 16); ++s) stack.read(s, 1, slice.data());
    stack.companion("target");
    for (const std::string& name : stack.file().members())
      if (stack.file().is_group(name)) stack.file().members(name);
  });
  return 0;
}
