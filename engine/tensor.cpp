#include "engine/tensor.h"

#include <fmt/core.h>

namespace ipa {

const char* to_string(DType t) {
  switch (t) {
    case DType::f32:
      return "f32";
    case DType::bf16:
      return "bf16";
    case DType::u8:
      return "u8";
    case DType::i32:
      return "i32";
  }
  return "?";
}

std::string to_string(const Shape& s) { return fmt::format("({}, {}, {}, {})", s.n, s.h, s.w, s.c); }

}  // namespace ipa
