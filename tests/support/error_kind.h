// What a call that must fail says.
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "engine/error.h"

// The exit code of the ipa::Error that `call` throws, whose message must contain `part`; 0 where nothing is thrown.
template <class Call>
int error_kind(Call call, const std::string& part) {
  try {
    call();
  } catch (const ipa::Error& e) {
    CHECK_THAT(e.what(), Catch::Contains(part));
    return e.exit_code();
  }
  return 0;
}
