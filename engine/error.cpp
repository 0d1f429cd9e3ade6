#include "engine/error.h"

#include <fmt/core.h>

namespace ipa {

void fail(ErrorKind kind, std::string_view what, std::string_view where, std::string_view hint) {
  std::string message(what);
  if (!where.empty()) message.append(", ").append(where);
  if (!hint.empty()) message.append("; ").append(hint);
  throw Error(kind, message);
}

void detail::fail_require(std::string_view what, const char* file, int line) {
  throw Error(ErrorKind::internal, fmt::format("{}, {}:{}; please report this defect", what, file, line));
}

}  // namespace ipa
