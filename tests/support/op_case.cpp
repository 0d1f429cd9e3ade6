#include "tests/support/op_case.h"

namespace ipa::test {
namespace {
std::vector<OpCase>& mutable_cases() {
  static std::vector<OpCase> cases;
  return cases;
}
}  // namespace

Register::Register(std::vector<OpCase> cases) {
  for (OpCase& c : cases) mutable_cases().push_back(std::move(c));
}

const std::vector<OpCase>& all_cases() { return mutable_cases(); }

}  // namespace ipa::test
