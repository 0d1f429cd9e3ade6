// The number types that files hold. Tensors have their own, shorter list (engine/dtype.h): files are converted at the
// door.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "engine/error.h"

namespace ipa {

enum class NumberType : uint8_t { u8, i8, u16, i16, u32, i32, u64, i64, f32, f64 };

__extension__ typedef unsigned __int128 Uint128;  // for products of sizes that a file claims

// Calls f(T{}) with the C++ type that `type` stands for.
template <class F>
decltype(auto) with_number_type(NumberType type, F&& f) {
  switch (type) {
    case NumberType::u8:
      return f(uint8_t{});
    case NumberType::i8:
      return f(int8_t{});
    case NumberType::u16:
      return f(uint16_t{});
    case NumberType::i16:
      return f(int16_t{});
    case NumberType::u32:
      return f(uint32_t{});
    case NumberType::i32:
      return f(int32_t{});
    case NumberType::u64:
      return f(uint64_t{});
    case NumberType::i64:
      return f(int64_t{});
    case NumberType::f32:
      return f(float{});
    case NumberType::f64:
      return f(double{});
  }
  fail(ErrorKind::internal, "no such number type");
}

inline size_t bytes_of(NumberType type) {
  return with_number_type(type, [](auto zero) { return sizeof(zero); });
}

inline bool is_floating(NumberType type) { return type == NumberType::f32 || type == NumberType::f64; }

constexpr std::string_view name_of(NumberType type) {
  constexpr std::string_view names[] = {"u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64"};
  return names[static_cast<size_t>(type)];
}

template <class T>
constexpr NumberType number_type_of() {
  if constexpr (std::is_same_v<T, float>)
    return NumberType::f32;
  else if constexpr (std::is_same_v<T, double>)
    return NumberType::f64;
  else {
    static_assert(std::is_integral_v<T>);
    constexpr int log_size = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
    return static_cast<NumberType>(2 * log_size + std::is_signed_v<T>);
  }
}

// True where every value of `from` is a value of `to`.
constexpr bool converts_exactly(NumberType from, NumberType to) {
  constexpr auto mantissa = [](NumberType t) {
    constexpr int bits[] = {8, 7, 16, 15, 32, 31, 64, 63, 24, 53};
    return bits[static_cast<size_t>(t)];
  };
  constexpr auto kind = [](NumberType t) {  // 0 unsigned, 1 signed, 2 floating
    return t >= NumberType::f32 ? 2 : static_cast<int>(t) % 2;
  };
  return kind(from) <= kind(to) && mantissa(from) <= mantissa(to);
}

}  // namespace ipa
