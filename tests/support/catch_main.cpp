#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <optional>

#include "tests/support/before_tests.h"

[[gnu::weak]] std::optional<int> before_tests(int, char**) { return {}; }

int main(int argc, char** argv) {
  if (const auto code = before_tests(argc, argv)) return *code;
  return Catch::Session().run(argc, argv);
}
