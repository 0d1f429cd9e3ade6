#include "engine/error.h"

#include <fmt/core.h>

namespace ipa {

namespace {

std::string_view general_hint(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return "see the command's --help";
    case ErrorKind::input:
      return "it may be damaged or not complete: copy or make it again";
    case ErrorKind::io:
      return "check the path, permissions and free space";
    case ErrorKind::device:
      return "run it again; where it stays, try --device cpu";
    case ErrorKind::numerical:
      return "look at the input and at the model's training";
    case ErrorKind::internal:
    case ErrorKind::stopped:
      break;
  }
  return "please report this defect";
}

}  // namespace

void fail(ErrorKind kind, std::string_view what, std::string_view where, std::string_view hint) {
  std::string message(what);
  if (!where.empty()) message.append(", ").append(where);
  message.append("; ").append(hint.empty() ? general_hint(kind) : hint);
  throw Error(kind, message);
}

void detail::fail_require(std::string_view what, const char* file, int line) {
  throw Error(ErrorKind::internal, fmt::format("{}, {}:{}; please report this defect", what, file, line));
}

}  // namespace ipa
