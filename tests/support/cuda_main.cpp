// The main function of tests that need a GPU: without one they are skipped, which ctest sees by the exit code.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <iostream>

#include "engine/device.h"

int main(int argc, char** argv) {
  constexpr int skipped = 77;  // tests/CMakeLists.txt
  const ipa::Device gpu{ipa::Device::Kind::cuda, 0};
  if (const std::string why = ipa::device_problem(gpu); !why.empty()) {
    std::cout << "skipped: " << why << "\n";
    return skipped;
  }
  std::cout << ipa::describe(gpu) << "\n";
  return Catch::Session().run(argc, argv);
}
