// Tests that need a GPU: without one they are skipped, which ctest sees by the exit code.
#include <iostream>

#include "engine/device.h"
#include "tests/support/before_tests.h"

std::optional<int> before_tests(int, char**) {
  constexpr int skipped = 77;  // tests/CMakeLists.txt
  const ipa::Device gpu{ipa::Device::Kind::cuda, 0};
  if (const std::string why = ipa::device_problem(gpu); !why.empty()) {
    std::cout << "skipped: " << why << "\n";
    return skipped;
  }
  std::cout << ipa::describe(gpu) << "\n";
  return {};
}
