// The one error type. Its kind is the process's exit code (see docs/user_guide.md, "Exit codes").
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace ipa {

enum class ErrorKind : int {
  internal = 1,   // a defect of ours
  usage = 2,      // command line or settings
  input = 3,      // a file's content
  io = 4,         // disk full, permission, missing file
  device = 5,     // a device or a lost rank
  numerical = 6,  // NaN, diverged
  stopped = 75,   // stopped by a signal, state saved
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }
  int exit_code() const { return static_cast<int>(kind_); }

 private:
  ErrorKind kind_;
};

// Throws Error with the message "WHAT, WHERE; HINT". `where` names the file, option or tensor at fault (left out with
// its comma where it is empty); `hint` says what the user can do about it (where it is empty, what mostly helps in
// errors of this kind).
[[noreturn]] void fail(ErrorKind kind, std::string_view what, std::string_view where = {}, std::string_view hint = {});

namespace detail {
[[noreturn]] void fail_require(std::string_view what, const char* file, int line);
}

// For the mistakes of a caller inside this program: throws ErrorKind::internal with the source position.
inline void require(bool condition, std::string_view what, const char* file = __builtin_FILE(),
                    int line = __builtin_LINE()) {
  if (!condition) [[unlikely]]
    detail::fail_require(what, file, line);
}

}  // namespace ipa
