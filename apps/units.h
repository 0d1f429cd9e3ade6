// Numbers as people read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace ipa {

std::string grouped(std::int64_t number);       // 7,237,982
std::string readable_bytes(std::size_t bytes);  // "612 B", "3.4 MiB", "11.2 GiB"
std::string readable_duration(double seconds);  // "0.32 s", "45 s", "12 min", "3 h 20 min", "5 d 2 h"

}  // namespace ipa
