#include <catch2/catch.hpp>

#include "engine/error.h"

TEST_CASE("an error carries its exit code and names what, where and a hint", "[engine]") {
  try {
    ipa::fail(ipa::ErrorKind::input, "not a stack", "a.h5", "run prepare");
    FAIL("did not throw");
  } catch (const ipa::Error& e) {
    CHECK(e.exit_code() == 3);
    CHECK(std::string(e.what()) == "not a stack, a.h5; run prepare");
  }
}

TEST_CASE("an error without a hint has that of its kind", "[engine]") {
  using ipa::ErrorKind;
  for (const ErrorKind kind :
       {ErrorKind::usage, ErrorKind::input, ErrorKind::io, ErrorKind::device, ErrorKind::numerical})
    CHECK_THROWS_WITH(ipa::fail(kind, "what", "where"), Catch::StartsWith("what, where; ") && !Catch::Contains("report"));
  CHECK_THROWS_WITH(ipa::fail(ErrorKind::io, "what"), Catch::StartsWith("what; "));
}

TEST_CASE("require names the source line of the caller", "[engine]") {
  CHECK_NOTHROW(ipa::require(true, "fine"));
  CHECK_THROWS_WITH(ipa::require(false, "shapes differ"), Catch::Contains("test_error.cpp"));
}
